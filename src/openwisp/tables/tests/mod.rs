//! What the tables tell, over both engines with the same code, on databases that a real OpenWISP made.

mod changes;
mod faults;
mod rights;

use super::testing::{House, NOW};

/// Makes two tests of a function over a [`House`]: `spatialite` and `postgis`.
macro_rules! over_both {
    ($(async fn $name:ident($house:ident: House) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn check($house: House) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn spatialite() {
                check(House::spatialite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgis() {
                check(House::postgis().await).await;
            }
        }
    )+};
}
use over_both;
