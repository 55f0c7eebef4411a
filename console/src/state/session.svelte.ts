// Who is logged in.

import { onForbidden, onSignedOut, Refusal, tellLogIn } from "../api/client";
import { getMe, isSetupOpen, logIn, logOut } from "../api/resources";
import type { Me } from "../api/rights";
import { tellReturn } from "../live/world";
import { router } from "./router.svelte";

type State =
  | { is: "asking" }
  | { is: "in"; me: Me }
  /** Whose session has ended: their page stays as it is, below the log-in. */
  | { is: "ended"; me: Me }
  | { is: "out" }
  | { is: "unreachable"; refusal: Refusal };

class Session {
  #state = $state.raw<State>({ is: "asking" });

  #asking: Promise<Me | null> | null = null;
  /** Of a session that has ended: whether it is the same user who logs in next. */
  #next: Promise<boolean> | null = null;
  #tellNext: (isSame: boolean) => void = () => undefined;

  constructor() {
    onSignedOut(() => {
      this.#end();
      return this.#state.is === "ended" ? this.#next : null;
    });
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

  /** Asks the server who we are: at the start, and when rights or the session itself may have changed. */
  async refresh(signal?: AbortSignal): Promise<Me | null> {
    try {
      const me = await getMe(signal);
      this.#enter(me);
      return me;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.isSignedOut) {
        this.#end();
        if (this.#state.is === "out") await this.#lookForFirstStart();
        return null;
      }
      const { is } = this.#state;
      if (is !== "in" && is !== "ended") this.#state = { is: "unreachable", refusal: error };
      throw error;
    }
  }

  #enter(me: Me): void {
    const before = this.#state;
    const known = before.is === "in" || before.is === "ended" ? before.me : null;
    // Pages look at what has changed.
    const isNews = JSON.stringify(me) !== JSON.stringify(known);
    if (before.is === "in" && !isNews) return;
    this.#state = { is: "in", me: isNews || !known ? me : known };
    if (before.is !== "ended") return;
    const isSame = me.id === before.me.id;
    this.#tellNext(isSame);
    if (isSame) tellReturn();
  }

  /** On a server that has no user yet there is nothing to log in as. */
  async #lookForFirstStart(): Promise<void> {
    const isOpen = await isSetupOpen().catch(() => false);
    if (isOpen && this.#state.is === "out") router.replace({ page: "setup" });
    else if (!isOpen && router.route.page === "setup") router.replace({ page: "login", next: "/" });
  }

  /** Nobody is logged in any more, or nobody is yet: then to the log-in, which leads back to where we are. */
  #end(): void {
    const state = this.#state;
    if (state.is === "out" || state.is === "ended") return;
    if (state.is === "in") {
      this.#next = new Promise((resolve) => (this.#tellNext = resolve));
      this.#state = { is: "ended", me: state.me };
      return;
    }
    this.#state = { is: "out" };
    const { route } = router;
    if (route.page !== "login" && route.page !== "setup") router.replace({ page: "login", next: router.here });
  }

  async logIn(username: string, password: string): Promise<void> {
    try {
      await logIn(username, password);
    } catch (error) {
      // A wrong password is told by the page, and ends nothing.
      if (this.#state.is !== "ended") this.#state = { is: "out" };
      throw error;
    }
    tellLogIn();
    await this.refresh();
  }

  async logOut(): Promise<void> {
    await logOut().catch((error: unknown) => {
      if (!(error instanceof Refusal && error.isSignedOut)) throw error;
    });
    this.#state = { is: "out" };
    router.go({ page: "login", next: "/" });
  }
}

export const session = new Session();
