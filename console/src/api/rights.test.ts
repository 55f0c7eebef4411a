import { expect, test } from "vitest";

import { lacksForCommands, lacksForFleet, may, type Me } from "./rights";

const NOBODY: Me = {
  id: "",
  username: "ada",
  first_name: "",
  last_name: "",
  is_staff: false,
  is_superuser: false,
  permissions: [],
  organizations: [],
};

test("change implies view, and nothing else", () => {
  const me = { ...NOBODY, permissions: ["geo.change_location", "config.add_device"] };
  expect(may(me, "geo.view_location")).toBe(true);
  expect(may(me, "config.view_device")).toBe(false);
  expect(may(me, "config.add_device")).toBe(true);
});

test("a superuser may everything", () => {
  const me = { ...NOBODY, is_superuser: true };
  expect(lacksForFleet(me)).toBe(null);
  expect(lacksForCommands(me)).toBe(null);
});

test("the sockets take a member of staff, and the first right that is lacking is named", () => {
  const permissions = ["geo.view_location", "config.add_device", "config.change_device"];
  expect(lacksForFleet({ ...NOBODY, permissions })).toBe("staff");
  const staff = { ...NOBODY, permissions, is_staff: true };
  expect(lacksForFleet(staff)).toBe(null);
  expect(lacksForCommands(staff)).toBe("config.delete_device");
});
