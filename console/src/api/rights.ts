// What a user may. The server decides; this only spares people what they could not do, and names what
// they lack.

/** Who asks, as `/api/v1/users/me/` says it. */
export interface Me {
  id: string;
  username: string;
  first_name: string;
  last_name: string;
  is_staff: boolean;
  is_superuser: boolean;
  permissions: string[];
  organizations: Organization[];
}

export interface Organization {
  id: string;
  name: string;
  slug: string;
  is_manager: boolean;
}

export const ACTIONS = ["view", "add", "change", "delete"] as const;
export type Action = (typeof ACTIONS)[number];

/** What rights are about, in the order in which people look for it. */
export const MODELS = [
  "config.device",
  "connection.command",
  "connection.deviceconnection",
  "connection.credentials",
  "geo.location",
  "geo.devicelocation",
  "openwisp_users.organization",
  "openwisp_users.user",
  "openwisp_users.organizationuser",
  "openwisp_users.group",
] as const;
export type Model = (typeof MODELS)[number];

type Named<M extends Model> = M extends `${infer App}.${infer Name}` ? `${App}.${Action}_${Name}` : never;

/** The name of a right, such as `geo.view_location`; or the role of a member of staff. */
export type Right = Named<Model> | "staff";

/** The right to do something to what is of this kind. */
export function rightTo(action: Action, model: Model): Right {
  return model.replace(".", `.${action}_`) as Right;
}

/** What a right is made of: the other way round. */
export function partsOf(right: Exclude<Right, "staff">): { action: Action; model: Model } {
  const [app, rest = ""] = right.split(".");
  const [action, name] = rest.split("_");
  return { action: action as Action, model: `${app}.${name}` as Model };
}

/** Whether somebody holds a right; who may change something may see it. */
export function may(me: Me, right: Right): boolean {
  if (me.is_superuser) return true;
  if (right === "staff") return me.is_staff;
  return (
    me.permissions.includes(right) ||
    me.permissions.includes(right.replace(".view_", ".change_"))
  );
}

/** Whether somebody may choose devices and run something on them. */
export function mayRunOnMany(me: Me): boolean {
  return may(me, "connection.add_command") && may(me, "config.view_device");
}

/** What it takes to see the fleet move, besides managing an organization. */
const FLEET: Right[] = ["staff", "geo.view_location"];

/** What it takes to see commands live, besides managing the device's organization. */
const COMMANDS: Right[] = [
  "staff",
  "config.add_device",
  "config.change_device",
  "config.delete_device",
];

/** The first right that watching the fleet takes and that is lacking. */
export function lacksForFleet(me: Me): Right | null {
  return FLEET.find((right) => !may(me, right)) ?? null;
}

/** The first right that hearing of a device's commands takes and that is lacking. */
export function lacksForCommands(me: Me): Right | null {
  return COMMANDS.find((right) => !may(me, right)) ?? null;
}
