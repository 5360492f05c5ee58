//! Renders the Markdown of doc comments as HTML for the page.
//!
//! A doc comment can't add HTML, scripts or requests to the page. HTML in it is shown as text,
//! links lead to web and mail addresses only, and pictures are shown by their descriptions.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use serde_json::{Map, Value};

/// The members of a document that hold doc comments.
const MEMBERS: [&str; 3] = ["summary", "description", "x-deprecated"];

/// The doc comments of a document, each with its HTML.
pub(super) fn rendered(document: &Value) -> Map<String, Value> {
    let mut texts = Map::new();
    collect(document, &mut texts);
    texts
}

fn collect(value: &Value, texts: &mut Map<String, Value>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if MEMBERS.contains(&name.as_str()) && !texts.contains_key(text) => {
                        texts.insert(text.clone(), rendered_text(text).into());
                    }
                    value => collect(value, texts),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        _ => {}
    }
}

fn rendered_text(markdown: &str) -> String {
    // Links to Rust items and to files lead nowhere. Their text stays.
    let mut are_shown = Vec::new();
    let parser = Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let events = parser.filter_map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::HtmlBlock | Tag::Image { .. }) | Event::End(TagEnd::HtmlBlock | TagEnd::Image) => None,
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let is_shown = is_address(&dest_url);
            are_shown.push(is_shown);
            is_shown.then_some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
        }
        Event::End(TagEnd::Link) => are_shown.pop().unwrap_or_default().then_some(Event::End(TagEnd::Link)),
        event => Some(event),
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

fn is_address(url: &CowStr<'_>) -> bool {
    let lower = url.to_ascii_lowercase();
    ["https://", "http://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn markdown_becomes_html() {
        for (markdown, html) in [
            ("One `code`, *two*.", "<p>One <code>code</code>, <em>two</em>.</p>\n"),
            ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
            (
                "<https://a.org> [b](HTTP://b.org)",
                "<p><a href=\"https://a.org\">https://a.org</a> <a href=\"HTTP://b.org\">b</a></p>\n",
            ),
        ] {
            assert_eq!(rendered_text(markdown), html);
        }
    }

    #[test]
    fn html_scripts_and_pictures_stay_text() {
        for (markdown, html) in [
            ("a <b>c</b> &lt;", "<p>a &lt;b&gt;c&lt;/b&gt; &lt;</p>\n"),
            ("<script>\nalert(1)\n</script>\n", "&lt;script&gt;\nalert(1)\n&lt;/script&gt;\n"),
            ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
            ("[a](javascript:alert(1)) [b](crate::B) [c](/c)", "<p>a b c</p>\n"),
            ("[![a *b*](x.png \"t\")](data:text/html,x)", "<p>a <em>b</em></p>\n"),
            ("[a ![b](c)](https://d.org/\"onclick=x)", "<p><a href=\"https://d.org/%22onclick=x\">a b</a></p>\n"),
        ] {
            let rendered = rendered_text(markdown);
            assert!(!rendered.contains("<script") && !rendered.contains("<img"), "{rendered}");
            assert_eq!(rendered, html, "{markdown}");
        }
    }

    #[test]
    fn only_doc_comments_are_rendered() {
        let document = json!({ "info": { "title": "*t*", "description": "*d*" }, "list": [{ "summary": "s" }] });
        let rendered = rendered(&document);
        assert_eq!(rendered.keys().collect::<Vec<_>>(), ["*d*", "s"]);
        assert_eq!(rendered["*d*"], "<p><em>d</em></p>\n");
    }
}
