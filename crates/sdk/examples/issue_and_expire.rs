//! Issues a token, expires it, and lists all tokens, including expired ones.
//!
//! `KEYWARD_URL=http://127.0.0.1:7080 KEYWARD_SESSION_TOKEN=… cargo run --example issue_and_expire`

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use std::error::Error;
use std::time::Duration;

use keyward_sdk::{Client, CreateToken, SecretString, TokensFilter, UserRef};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = variable("KEYWARD_URL")?;
    let secret = SecretString::from(variable("KEYWARD_SESSION_TOKEN")?);
    let client = Client::builder(url).token(secret).user_agent("issue-and-expire-example").build()?;

    let wanted = CreateToken::new().name("example").lifetime(Duration::from_secs(3600)).scope("workspace:read");
    let created = client.create_token(&UserRef::Me, &wanted).await?;
    // `created.key.expose()` is the secret. The server returns it only here.
    println!("issued {} until {}", created.id(), created.token.expires_at);

    // Once this returns, the token no longer works. Its record stays.
    client.expire_api_key(&UserRef::Me, created.id()).await?;
    println!("expired {}", created.id());

    let filter = TokensFilter { include_expired: true, ..TokensFilter::default() };
    for token in client.tokens(&UserRef::Me, &filter).await? {
        println!("{} {} until {}", token.key.id, token.key.token_name, token.key.expires_at);
    }
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|error| format!("{name}: {error}"))
}
