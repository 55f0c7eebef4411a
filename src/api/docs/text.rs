//! Descriptions are CommonMark. They become HTML here, and whatever HTML is in them becomes text.

use maud::{Markup, PreEscaped};
use pulldown_cmark::{Event, Parser, html};
use serde_json::Value;

/// A description as HTML; nothing where there is none.
pub fn prose(description: &Value) -> Markup {
    let events = Parser::new(description.as_str().unwrap_or_default()).map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        other => other,
    });
    let mut text = String::new();
    html::push_html(&mut text, events);
    PreEscaped(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_in_a_description_is_text() {
        for (description, shown) in [
            ("a `<b>` c", "<p>a <code>&lt;b&gt;</code> c</p>\n"),
            (
                "<script>alert(1)</script>",
                "&lt;script&gt;alert(1)&lt;/script&gt;",
            ),
            (
                "a <img src=x onerror=y> & b",
                "<p>a &lt;img src=x onerror=y&gt; &amp; b</p>\n",
            ),
            (
                "**Bodies** are JSON",
                "<p><strong>Bodies</strong> are JSON</p>\n",
            ),
        ] {
            assert_eq!(prose(&description.into()).into_string(), shown);
        }
        assert_eq!(prose(&Value::Null).into_string(), "");
    }
}
