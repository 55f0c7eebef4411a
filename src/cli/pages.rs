//! Lists of the store, whole: a person at a terminal turns no pages.

use crate::store::{Page, Paged, StoreError};

/// Rows that are asked for at once.
const SIZE: u32 = 1000;

/// The rows of all pages, in order.
pub(crate) async fn all_rows<T>(
    mut read: impl AsyncFnMut(Page) -> Result<Paged<T>, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut rows = Vec::new();
    let mut number = 1;
    loop {
        let page = Page { number, size: SIZE };
        let slice = read(page).await?.rows;
        let is_last = slice.len() < SIZE as usize;
        rows.extend(slice);
        if is_last {
            return Ok(rows);
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is gathered of a list of so many rows, and how often it was asked.
    async fn gathered(count: u32) -> (Vec<u32>, u32) {
        let mut asked = 0;
        let rows = all_rows(async |page: Page| {
            asked += 1;
            let begin = (page.number - 1) * page.size;
            Ok(Paged {
                count: count.into(),
                rows: (begin..count.min(begin + page.size)).collect(),
            })
        });
        (rows.await.unwrap(), asked)
    }

    #[tokio::test]
    async fn every_row_comes_once_and_in_order() {
        for (count, pages) in [(0, 1), (1, 1), (999, 1), (1000, 2), (2001, 3)] {
            let (rows, asked) = gathered(count).await;
            assert_eq!(rows, (0..count).collect::<Vec<_>>());
            assert_eq!(asked, pages, "{count}");
        }
    }
}
