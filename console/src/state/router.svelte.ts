// The page that is shown, and the browser's history of it.

import { format, parse, type Route } from "../urls";

class Router {
  #route = $state<Route>(parse(location.pathname + location.search));

  constructor() {
    window.addEventListener("popstate", () => {
      this.#route = parse(location.pathname + location.search);
    });
  }

  get route(): Route {
    return this.#route;
  }

  /** Where one is, as an address. */
  get here(): string {
    return format(this.#route);
  }

  go(route: Route): void {
    this.#route = route;
    history.pushState(null, "", format(route));
    // A new page begins at its top, for the eyes and for a screen reader.
    window.scrollTo(0, 0);
  }

  /** The same page seen otherwise: no step of the history. */
  replace(route: Route): void {
    this.#route = route;
    history.replaceState(null, "", format(route));
  }
}

export const router = new Router();

/** For links: a plain click stays in this page, everything else is the browser's. */
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.currentTarget;
  if (!(link instanceof HTMLAnchorElement) || link.target) return;
  event.preventDefault();
  router.go(parse(link.pathname + link.search));
}
