//! A vehicle's report, whose longitude says which one it is.

use serde_json::Value;

use super::http::request;

/// The request that reports this longitude.
pub fn put(path: &str, longitude: f64) -> Vec<u8> {
    let body = format!(
        r#"{{"type":"Feature","geometry":{{"type":"Point","coordinates":[{longitude},41.898903]}}}}"#
    );
    request("PUT", path, None, &body)
}

/// The number that a pushed location's longitude says, which is so many ten-thousandths of a degree.
pub fn number(message: &str) -> Option<usize> {
    let message: Value = serde_json::from_str(message).ok()?;
    let longitude = message["geometry"]["coordinates"][0].as_f64()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it was a count"
    )]
    Some((longitude * 10_000.0).round() as usize)
}
