// The names of organizations.

import { Refusal } from "../api/client";
import { readRows } from "../api/pages";
import { may, type Me, type Organization } from "../api/rights";
import { byName } from "../many/order";

class Organizations {
  #all = $state.raw<Pick<Organization, "id" | "name">[]>([]);
  #names = $derived(new Map(this.#all.map(({ id, name }) => [id, name])));

  /** Those that the user may see something of, by name. */
  get all(): Pick<Organization, "id" | "name">[] {
    return this.#all;
  }

  nameOf(id: string | null): string | undefined {
    return id === null ? undefined : this.#names.get(id);
  }

  /** One's own are known from the start; a superuser's are all. */
  async load(me: Me): Promise<void> {
    const own = me.organizations.filter((it) => it.is_manager);
    this.#set(own);
    if (!me.is_superuser || !may(me, "openwisp_users.view_organization")) return;
    try {
      const path = "/api/v1/users/organization/?page_size=100";
      this.#set(await readRows(path, {}, ({ id }: Organization) => id));
    } catch (error) {
      // Without names their things are there all the same.
      if (!(error instanceof Refusal)) throw error;
    }
  }

  #set(organizations: Pick<Organization, "id" | "name">[]): void {
    this.#all = byName(organizations);
  }
}

export const organizations = new Organizations();
