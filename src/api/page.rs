//! Lists: their pages, their links and their filters.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OriginalUri};
use http::Uri;
use http::request::Parts;
use ipnet::IpNet;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::body::pairs_of;
use super::error::ApiError;
use crate::access::request::{Client, network};
use crate::app::App;
use crate::event::{LocationType, OrganizationId};
use crate::store::{FieldErrors, Page, Paged};

/// How many rows a page holds when the client says nothing, and at most.
#[derive(Clone, Copy)]
pub struct PageSizes {
    /// Where the client names none, or nonsense.
    pub default: u32,
    /// However many it names.
    pub max: u32,
}

/// Of the lists, as OpenWISP's.
pub const ROWS: PageSizes = PageSizes {
    default: 10,
    max: 100,
};
/// Of commands: each may bring a megabyte of output.
pub const OUTPUTS: PageSizes = PageSizes {
    default: 10,
    max: 25,
};
/// Of the map, which wants everything.
pub const FEATURES: PageSizes = PageSizes {
    default: 1000,
    max: 1000,
};

/// What the query of a list's URL asks for, and under which URL it was asked.
pub struct Listing {
    query: Vec<(String, String)>,
    /// Absolute, without query; a bare path if the request named no host.
    url: String,
    errors: FieldErrors,
}

/// The two links of a page.
#[derive(Debug, PartialEq, Eq)]
pub struct Links {
    /// Of the page behind this one.
    pub next: Option<String>,
    /// Of the page before this one.
    pub previous: Option<String>,
}

/// A page as it is answered.
#[derive(Serialize, ToSchema)]
#[schema(as = Page, description = "A page of a list.")]
pub struct PageAnswer<T> {
    /// Of all pages.
    count: i64,
    /// The URL of the page behind this one.
    #[schema(required)]
    next: Option<String>,
    /// The URL of the page before this one.
    #[schema(required)]
    previous: Option<String>,
    results: Vec<T>,
}

/// What every list is asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by `Listing`: this says what may be there")]
pub struct PageQuery {
    /// The number of the page, from 1. Beyond the end: 404.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// How many a page holds: 10, and at most 100.
    #[param(minimum = 1)]
    page_size: Option<u32>,
}

/// What lists of things that belong to an organization are filtered by.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by `Listing`: this says what may be there")]
pub struct OrganizationQuery {
    /// Only those of this organization.
    organization: Option<OrganizationId>,
    /// Only those of the organization with this slug.
    organization_slug: Option<String>,
}

/// What lists of locations are filtered by.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by `Listing`: this says what may be there")]
pub struct LocationQuery {
    /// Only mobile ones, or only those that are not.
    is_mobile: Option<bool>,
    /// Only those of this type.
    r#type: Option<LocationType>,
}

impl FromRequestParts<Arc<App>> for Listing {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let client = Client::from_request_parts(parts, app).await?;
        let OriginalUri(uri) = OriginalUri::from_request_parts(parts, app)
            .await
            .unwrap_or_else(|never| match never {});
        Ok(Self::new(&client, &uri))
    }
}

impl Listing {
    fn new(client: &Client, uri: &Uri) -> Self {
        Self {
            query: pairs_of(uri.query().unwrap_or_default().as_bytes()).collect(),
            url: client.base_url().unwrap_or_default() + uri.path(),
            errors: FieldErrors::default(),
        }
    }

    /// `?organization=<uuid>`.
    pub fn organization(&mut self) -> Option<OrganizationId> {
        self.id("organization")
    }

    /// `?organization_slug=`.
    pub fn organization_slug(&mut self) -> Option<String> {
        self.text("organization_slug")
    }

    /// A text, whatever it is.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let text = self.value(name)?.to_owned();
        if text.contains('\0') {
            self.errors.add(name, "Null characters are not allowed.");
            return None;
        }
        Some(text)
    }

    /// `?is_mobile=`.
    pub fn is_mobile(&mut self) -> Option<bool> {
        self.boolean("is_mobile")
    }

    /// `?dry_run=`, which is no filter.
    ///
    /// # Errors
    /// 400 when it is neither true nor false.
    pub fn dry_run(&mut self) -> Result<bool, ApiError> {
        let is_dry = self.boolean("dry_run").unwrap_or(false);
        std::mem::take(&mut self.errors).into_result()?;
        Ok(is_dry)
    }

    fn boolean(&mut self, name: &str) -> Option<bool> {
        let text = self.value(name)?.to_ascii_lowercase();
        match text.as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => {
                self.errors.add(name, "Must be a valid boolean.");
                None
            }
        }
    }

    /// `?type=`.
    pub fn location_type(&mut self) -> Option<LocationType> {
        self.choice("type")
    }

    /// One of the words that `T` knows.
    pub fn choice<T: FromStr>(&mut self, name: &str) -> Option<T> {
        self.filter(name, |text| {
            format!("Select a valid choice. {text} is not one of the available choices.")
        })
    }

    /// The identifier of something.
    pub fn id<T: FromStr>(&mut self, name: &str) -> Option<T> {
        self.filter(name, |text| format!("“{text}” is not a valid UUID."))
    }

    /// A network, or a single address.
    pub fn network(&mut self, name: &str) -> Option<IpNet> {
        let text = self.value(name)?.to_owned();
        let network = network(&text);
        if network.is_none() {
            let reason = format!("“{text}” is no address and no network such as 10.0.0.0/8.");
            self.errors.add(name, reason);
        }
        network
    }

    /// `?limit=`: how many are wanted. A number that is none is ignored, as those of pages are.
    ///
    /// # Errors
    /// 400 when a filter asked for before was wrong.
    pub fn limit(&mut self, usual: u32, most: u32) -> Result<u32, ApiError> {
        std::mem::take(&mut self.errors).into_result()?;
        let wanted = self.value("limit").and_then(|text| text.parse().ok());
        Ok(wanted
            .filter(|it| *it > 0)
            .map_or(usual, |it: u32| it.min(most)))
    }

    fn filter<T: FromStr>(&mut self, name: &str, reason: impl Fn(&str) -> String) -> Option<T> {
        let text = self.value(name)?.to_owned();
        let value = text.parse().ok();
        if value.is_none() {
            self.errors.add(name, reason(&text));
        }
        value
    }

    /// The last value of this name; an empty one filters nothing.
    fn value(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().rfind(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Which rows are wanted. A size that is none is ignored, as in OpenWISP.
    ///
    /// # Errors
    /// 400 when a filter asked for before was wrong, 404 when the page's number is none.
    pub fn page(&mut self, sizes: PageSizes) -> Result<Page, ApiError> {
        std::mem::take(&mut self.errors).into_result()?;
        let size = self
            .value("page_size")
            .and_then(|text| text.parse::<u64>().ok());
        let size = match size {
            None | Some(0) => sizes.default,
            Some(size) => u32::try_from(size).unwrap_or(sizes.max).min(sizes.max),
        };
        let number = match self.value("page") {
            None => 1,
            Some(text) => text
                .parse()
                .ok()
                .filter(|number| *number > 0)
                .ok_or_else(ApiError::invalid_page)?,
        };
        Ok(Page { number, size })
    }

    /// Where the pages before and behind `page` are.
    ///
    /// # Errors
    /// 404 when `page` is beyond the end of a list of `count` rows. The first page always exists.
    pub fn links(&self, page: Page, count: i64) -> Result<Links, ApiError> {
        let number = i64::from(page.number);
        let before = (number - 1) * i64::from(page.size);
        if number > 1 && before >= count {
            return Err(ApiError::invalid_page());
        }
        let has_next = before + i64::from(page.size) < count;
        Ok(Links {
            next: has_next.then(|| self.url_of(page.number + 1)),
            previous: (number > 1).then(|| self.url_of(page.number - 1)),
        })
    }

    /// The answer with one page of rows.
    ///
    /// # Errors
    /// 404 when `page` is beyond the list's end.
    pub fn answer<'a, R, T: From<&'a R>>(
        &self,
        page: Page,
        paged: &'a Paged<R>,
    ) -> Result<PageAnswer<T>, ApiError> {
        let Links { next, previous } = self.links(page, paged.count)?;
        let results = paged.rows.iter().map(T::from).collect();
        Ok(PageAnswer {
            count: paged.count,
            next,
            previous,
            results,
        })
    }

    /// This list's URL with another page's number. As in Django REST framework, the parameters are
    /// sorted, and the first page's is left out.
    fn url_of(&self, number: u32) -> String {
        let number = number.to_string();
        let mut query: Vec<(&str, &str)> = self
            .query
            .iter()
            .filter(|(name, _)| name != "page")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        if number != "1" {
            query.push(("page", &number));
        }
        // By name alone: what stands there twice keeps its order.
        query.sort_by_key(|(name, _)| *name);
        let mut url = self.url.clone();
        let mut separator = '?';
        for (name, value) in query {
            url.push(separator);
            encode(name, &mut url);
            url.push('=');
            encode(value, &mut url);
            separator = '&';
        }
        url
    }
}

fn encode(text: &str, url: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push('%');
            url.push(char::from(DIGITS[usize::from(byte >> 4)]));
            url.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(query: &str) -> Listing {
        let client = Client {
            address: [127, 0, 0, 1].into(),
            is_https: false,
            host: Some("ow.test".into()),
        };
        let uri = format!("/api/v1/controller/location/{query}")
            .parse()
            .unwrap();
        Listing::new(&client, &uri)
    }

    #[test]
    fn a_page_size_is_bounded_and_one_that_is_none_is_ignored() {
        for (query, size) in [
            ("", 10),
            ("?page_size=2", 2),
            ("?page_size=1000", 100),
            ("?page_size=99999999999", 100),
            ("?page_size=0", 10),
            ("?page_size=-1", 10),
            ("?page_size=many", 10),
        ] {
            assert_eq!(listing(query).page(ROWS).unwrap().size, size, "{query}");
        }
        assert_eq!(listing("").page(FEATURES).unwrap().size, 1000);
    }

    #[test]
    fn a_page_that_is_no_number_or_beyond_the_end_does_not_exist() {
        for query in ["?page=0", "?page=-1", "?page=x", "?page=99999999999"] {
            assert!(listing(query).page(ROWS).is_err(), "{query}");
        }
        let links = |number, count| listing("").links(Page { number, size: 10 }, count);
        assert!(links(1, 0).is_ok(), "an empty list has a first page");
        assert!(links(2, 11).is_ok());
        assert!(links(2, 10).is_err());
        assert!(links(u32::MAX, 10).is_err());
    }

    #[test]
    fn links_keep_the_rest_of_the_query_sorted() {
        let links = |query: &str, number| {
            let links = listing(query).links(Page { number, size: 1 }, 3).unwrap();
            let url = "http://ow.test/api/v1/controller/location/";
            let query =
                |link: Option<String>| link.map(|link| link.strip_prefix(url).unwrap().to_owned());
            (query(links.previous), query(links.next))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            links("?page_size=1", 1),
            (None, some("?page=2&page_size=1"))
        );
        assert_eq!(
            links("?page_size=1&page=2&is_mobile=true", 2),
            (
                some("?is_mobile=true&page_size=1"),
                some("?is_mobile=true&page=3&page_size=1")
            )
        );
        assert_eq!(links("", 3), (some("?page=2"), None));
        assert_eq!(
            links("?organization_slug=a%26b+c%C3%A9", 1).1,
            some("?organization_slug=a%26b%20c%C3%A9&page=2")
        );
    }

    #[test]
    fn every_wrong_filter_is_named_and_empty_ones_filter_nothing() {
        let mut wrong = listing("?organization=x&is_mobile=maybe&type=flying");
        assert!(wrong.organization().is_none());
        assert!(wrong.is_mobile().is_none());
        assert!(wrong.location_type().is_none());
        assert_eq!(wrong.errors.0.len(), 3);
        assert!(wrong.page(ROWS).is_err());
        let mut empty =
            listing("?organization=&is_mobile=&type=&organization_slug=&page=&page_size=");
        assert!(empty.organization().is_none() && empty.is_mobile().is_none());
        assert!(empty.location_type().is_none() && empty.organization_slug().is_none());
        assert_eq!(empty.page(ROWS).unwrap().number, 1);
        let mut right = listing("?is_mobile=True&type=indoor&organization_slug=org2");
        assert_eq!(right.is_mobile(), Some(true));
        assert_eq!(right.location_type(), Some(LocationType::Indoor));
        assert_eq!(right.organization_slug().as_deref(), Some("org2"));
    }
}
