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

export type Right =
  | "config.view_device"
  | "config.add_device"
  | "config.change_device"
  | "config.delete_device"
  | "connection.view_command"
  | "connection.add_command"
  | "connection.view_deviceconnection"
  | "geo.view_location"
  | "geo.view_devicelocation"
  | "openwisp_users.view_organization"
  | "staff";

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
