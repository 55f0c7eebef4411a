//! The `fleetwire` program: see [`fleetwire::cli`].

fn main() -> std::process::ExitCode {
    fleetwire::cli::main()
}
