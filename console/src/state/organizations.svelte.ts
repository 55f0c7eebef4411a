// The names of organizations.

import { ask, pathOf, Refusal, type Page } from "../api/client";
import { may, type Me, type Organization } from "../api/rights";

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
      const found: Pick<Organization, "id" | "name">[] = [];
      let next: string | null = "/api/v1/users/organization/?page_size=100";
      while (next) {
        const { data }: { data: Page<Organization> } = await ask<Page<Organization>>(next);
        found.push(...data.results);
        next = data.next && pathOf(data.next);
      }
      this.#set(found);
    } catch (error) {
      // Without names their things are there all the same.
      if (!(error instanceof Refusal)) throw error;
    }
  }

  #set(organizations: Pick<Organization, "id" | "name">[]): void {
    this.#all = organizations.toSorted((a, b) => a.name.localeCompare(b.name));
  }
}

export const organizations = new Organizations();
