//! Who asks: an extractor that is the authentication. A handler that has a [`Requester`] has an
//! active user in front of it; there is no way to forget the check.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams};
use http::header::ORIGIN;
use http::request::Parts;
use http::{HeaderMap, Method};

use super::error::ApiError;
use crate::access::request::{self, Client};
use crate::access::{Action, Credential, Model, Proof, User, policy};
use crate::app::App;
use crate::store::{Actor, Administration, Scope, StoreError};

/// The user who sends this request, by token or by session cookie.
pub struct Requester {
    /// With the rights of the last commit.
    pub user: User,
}

impl Requester {
    /// Whether the user may do `action` to a `model` at all, wherever it belongs.
    ///
    /// # Errors
    /// 403 when not.
    pub fn require(&self, action: Action, model: Model) -> Result<(), ApiError> {
        if policy::may(&self.user, action, model) {
            Ok(())
        } else {
            Err(ApiError::permission_denied())
        }
    }

    /// Whether the user may everything.
    ///
    /// # Errors
    /// 403 when not.
    pub fn require_superuser(&self) -> Result<(), ApiError> {
        if self.user.is_superuser {
            Ok(())
        } else {
            Err(ApiError::permission_denied())
        }
    }

    /// The rows that the user may see.
    pub fn scope(&self) -> Scope {
        if self.user.is_superuser {
            Scope::All
        } else {
            Scope::Organizations(self.user.manages.clone())
        }
    }

    /// Begins to write to people and their rights, with those that the user has by then.
    ///
    /// # Errors
    /// 401 when the user counts for nothing any more.
    pub async fn administer(&self, app: &App) -> Result<Administration, ApiError> {
        match app.store.by(self.actor()).administer(self.user.id).await {
            Err(StoreError::NotFound(_)) => Err(ApiError::not_authenticated()),
            begun => Ok(begun?),
        }
    }

    /// Who is named in the audit log for what the request writes.
    pub fn actor(&self) -> Actor {
        actor_of(&self.user)
    }
}

/// Who is named in the audit log for what `user` does.
pub fn actor_of(user: &User) -> Actor {
    Actor::User {
        id: user.id,
        username: user.username.clone(),
    }
}

impl FromRequestParts<Arc<App>> for Requester {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let cookie_name = &app.config.login.cookie_name;
        let credential = request::credential(&parts.headers, cookie_name)
            .ok_or_else(ApiError::not_authenticated)?;
        let identity =
            app.directory
                .identify(&credential)
                .await?
                .ok_or_else(|| match credential {
                    Credential::Token(_) => ApiError::invalid_token(),
                    Credential::Session(_) => ApiError::not_authenticated(),
                })?;
        let is_safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&parts.method);
        if matches!(identity.proof, Proof::Session(_)) && !is_safe {
            let client = client_of(parts, app)?;
            require_own_origin(&parts.headers, &client, app)?;
        }
        if !is_safe {
            // Whoever reads the body asks again.
            parts.extensions.insert(Shown {
                proof: identity.proof,
                user: identity.user.clone(),
            });
        }
        Ok(Self {
            user: identity.user,
        })
    }
}

/// What a request has shown of who asks, until its body is there: that may take a while.
#[derive(Clone)]
pub struct Shown {
    proof: Proof,
    user: User,
}

impl Shown {
    /// Whether nothing of it has changed.
    ///
    /// # Errors
    /// 401 when it proves nobody any more, 409 when the user's rights are others by now.
    pub async fn still_holds(&self, app: &App) -> Result<(), ApiError> {
        let mut proved = app.directory.renew(&[self.proof]).await?;
        match proved.remove(&self.proof) {
            None => Err(ApiError::not_authenticated()),
            Some(identity) if identity.user != self.user => Err(ApiError::rights_changed()),
            Some(_) => Ok(()),
        }
    }
}

impl FromRequestParts<Arc<App>> for Client {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        client_of(parts, app)
    }
}

fn client_of(parts: &Parts, app: &App) -> Result<Client, ApiError> {
    let ConnectInfo(peer) = parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .ok_or_else(|| ApiError::internal(&"the peer's address was not handed to the router"))?;
    Ok(Client::new(
        *peer,
        &parts.headers,
        &app.config.server.trusted_proxies,
    ))
}

/// Refuses what a page of somebody else may have made a browser send.
///
/// # Errors
/// 403 when the request names another origin than this server's and the configured ones, or none
/// (a browser names it with everything that is no plain GET).
pub fn require_own_origin(headers: &HeaderMap, client: &Client, app: &App) -> Result<(), ApiError> {
    if headers.contains_key(ORIGIN) {
        return refuse_foreign_origin(headers, client, app);
    }
    Err(ApiError::csrf(
        "Origin header missing - a request that changes something and is authenticated by a cookie \
         must carry it.",
    ))
}

/// Refuses what says itself that it comes from somebody else's page.
///
/// # Errors
/// 403 when the request names another origin than this server's and the configured ones.
pub fn refuse_foreign_origin(
    headers: &HeaderMap,
    client: &Client,
    app: &App,
) -> Result<(), ApiError> {
    for origin in headers.get_all(ORIGIN) {
        let origin = String::from_utf8_lossy(origin.as_bytes());
        if !client.accepts_origin(&origin, &app.config.server.allowed_origins) {
            let own = client.base_url().unwrap_or_else(|| "no host".into());
            return Err(ApiError::csrf(&format!(
                "Origin checking failed - {origin} does not match any trusted origins. The request \
                 was sent to {own}; see server.trusted_proxies and server.allowed_origins in the \
                 configuration of this server."
            )));
        }
    }
    Ok(())
}

/// The identifier of a path. What is no UUID in its usual form names nothing: 404, whoever asks.
pub struct PathId<T>(pub T);

/// The two identifiers of a path, such as a device's and that of a command of it.
pub struct PathIds<P, T>(pub P, pub T);

impl<T: FromStr> FromRequestParts<Arc<App>> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let parameters = path_parameters(parts, app).await?;
        nth_id(&parameters, 0).map(Self)
    }
}

impl<P: FromStr, T: FromStr> FromRequestParts<Arc<App>> for PathIds<P, T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let parameters = path_parameters(parts, app).await?;
        Ok(Self(nth_id(&parameters, 0)?, nth_id(&parameters, 1)?))
    }
}

async fn path_parameters(parts: &mut Parts, app: &Arc<App>) -> Result<RawPathParams, ApiError> {
    RawPathParams::from_request_parts(parts, app)
        .await
        .map_err(|_| ApiError::not_found())
}

fn nth_id<T: FromStr>(parameters: &RawPathParams, place: usize) -> Result<T, ApiError> {
    parameters
        .iter()
        .nth(place)
        // 36 characters: not the forms with braces, `urn:` or without hyphens.
        .filter(|(_, value)| value.len() == 36)
        .and_then(|(_, value)| value.parse().ok())
        .ok_or_else(ApiError::not_found)
}
