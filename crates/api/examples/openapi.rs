//! Prints the OpenAPI document; `cargo xtask openapi` keeps `docs/openapi.json` in step with it.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    let text = serde_json::to_string_pretty(&keyward_api::openapi())?;
    writeln!(std::io::stdout(), "{text}")
}
