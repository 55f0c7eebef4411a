// Who is logged in.

import { onForbidden, onSignedOut, Refusal } from "../api/client";
import { getMe, isSetupOpen, logIn, logOut } from "../api/resources";
import type { Me } from "../api/rights";
import { router } from "./router.svelte";

type State =
  | { is: "asking" }
  | { is: "in"; me: Me }
  | { is: "out"; expired: boolean }
  | { is: "unreachable"; refusal: Refusal };

class Session {
  #state = $state.raw<State>({ is: "asking" });

  #asking: Promise<Me | null> | null = null;

  constructor() {
    onSignedOut(() => this.#end());
    // What is lacking now was held when it was asked last. One question is enough for several refusals.
    onForbidden(() => {
      this.#asking ??= this.refresh()
        .catch(() => null)
        .finally(() => (this.#asking = null));
    });
  }

  get state(): State {
    return this.#state;
  }

  get me(): Me | null {
    return this.#state.is === "in" ? this.#state.me : null;
  }

  /** Asks the server who we are: at the start, and when rights may have changed. */
  async refresh(): Promise<Me | null> {
    try {
      const me = await getMe();
      // Pages look at what has changed.
      if (JSON.stringify(me) !== JSON.stringify(this.me)) this.#state = { is: "in", me };
      return me;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.isSignedOut) {
        this.#end();
        await this.#lookForFirstStart();
        return null;
      }
      if (this.#state.is !== "in") this.#state = { is: "unreachable", refusal: error };
      throw error;
    }
  }

  /** On a server that has no user yet there is nothing to log in as. */
  async #lookForFirstStart(): Promise<void> {
    const isOpen = await isSetupOpen().catch(() => false);
    if (isOpen && this.#state.is === "out") router.replace({ page: "setup" });
    else if (!isOpen && router.route.page === "setup") router.replace({ page: "login", next: "/" });
  }

  /** The session has ended: to the log-in, which leads back to where we are. */
  #end(): void {
    const expired = this.#state.is === "in";
    if (this.#state.is === "out") return;
    this.#state = { is: "out", expired };
    const { route } = router;
    if (route.page !== "login" && route.page !== "setup") router.replace({ page: "login", next: router.here });
  }

  async logIn(username: string, password: string): Promise<void> {
    try {
      await logIn(username, password);
    } catch (error) {
      // A wrong password is told by the page, and ends nothing.
      if (this.#state.is !== "out") this.#state = { is: "out", expired: false };
      throw error;
    }
    await this.refresh();
  }

  async logOut(): Promise<void> {
    await logOut().catch((error: unknown) => {
      if (!(error instanceof Refusal && error.isSignedOut)) throw error;
    });
    this.#state = { is: "out", expired: false };
    router.go({ page: "login", next: "/" });
  }
}

export const session = new Session();
