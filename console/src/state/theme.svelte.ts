// Light or dark: as the system has it, until somebody chooses.

export type Choice = "system" | "light" | "dark";

const KEY = "fleetwire-theme";

class Theme {
  #choice = $state<Choice>(stored());
  #systemIsDark = $state(false);

  constructor() {
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    this.#systemIsDark = system.matches;
    system.addEventListener("change", () => {
      this.#systemIsDark = system.matches;
      this.#apply();
    });
    this.#apply();
  }

  get choice(): Choice {
    return this.#choice;
  }

  set choice(choice: Choice) {
    this.#choice = choice;
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // A browser that keeps nothing asks the system again next time.
    }
    this.#apply();
  }

  get isDark(): boolean {
    return this.#choice === "dark" || (this.#choice === "system" && this.#systemIsDark);
  }

  #apply(): void {
    document.documentElement.dataset["theme"] = this.isDark ? "dark" : "light";
  }
}

function stored(): Choice {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : "system";
  } catch {
    return "system";
  }
}

export const theme = new Theme();
