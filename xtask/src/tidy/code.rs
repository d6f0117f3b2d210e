//! Rules about Rust tokens: length of functions, attributes, names, what tests may not do.
//!
//! Works on tokens, not on a syntax tree, so that functions inside macros are seen as well.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

use super::{Finding, Source, text};

/// Applies every token rule to a Rust file.
pub(super) fn check(source: &Source<'_>, found: &mut Vec<Finding>) {
    match source.text.parse::<TokenStream>() {
        Ok(stream) => {
            let mut walk = Walk {
                source,
                long_allowed: text::is_table(source),
                found,
            };
            walk.stream(
                stream,
                Place {
                    in_test: is_test_file(source.path),
                    in_wait: false,
                },
            );
        }
        Err(error) => found.push(source.error(
            error.span().start().line,
            "the file is not Rust: it does not even split into tokens",
        )),
    }
}

/// Where a token stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Is this code of a test?
    in_test: bool,
    /// Is this inside a function that waits for a condition, and says so by its name?
    in_wait: bool,
}

struct Walk<'a, 'b> {
    source: &'a Source<'a>,
    /// Tables and generated files may be long.
    long_allowed: bool,
    found: &'b mut Vec<Finding>,
}

impl Walk<'_, '_> {
    fn stream(&mut self, stream: TokenStream, place: Place) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        // Does an attribute seen since the last item say that the coming item is a test?
        let mut test_comes = false;
        // How the coming group is placed, when it is the body of a function.
        let mut body: Option<Place> = None;
        let mut index = 0;
        while let Some(token) = tokens.get(index) {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    let bang = usize::from(is_punct(tokens.get(index + 1), '!'));
                    if let Some(TokenTree::Group(group)) = tokens.get(index + 1 + bang) {
                        test_comes |= bang == 0 && marks_test(group);
                        self.attribute(group.stream());
                        index += 1 + bang;
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => (test_comes, body) = (false, None),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                TokenTree::Ident(ident) => {
                    self.ident(ident, &tokens, index, place);
                    if ident == "fn"
                        && let Some(TokenTree::Ident(name)) = tokens.get(index + 1)
                    {
                        self.function(ident, name, &tokens, index);
                        let in_wait = place.in_wait || name.to_string().starts_with("wait");
                        body = Some(Place {
                            in_test: place.in_test || test_comes,
                            in_wait,
                        });
                    }
                }
                TokenTree::Group(group) => {
                    let braced = group.delimiter() == Delimiter::Brace;
                    let here = Place {
                        in_test: place.in_test || test_comes,
                        ..place
                    };
                    self.stream(group.stream(), body.filter(|_| braced).unwrap_or(here));
                    if braced {
                        (test_comes, body) = (false, None);
                    }
                }
            }
            index += 1;
        }
    }

    fn ident(&mut self, ident: &Ident, tokens: &[TokenTree], index: usize, place: Place) {
        let line = ident.span().start().line;
        let next = tokens.get(index + 1);
        if ["todo", "unimplemented"].iter().any(|name| ident == name) && is_punct(next, '!') {
            self.report(
                line,
                format!("{ident}!: nothing unfinished is committed, write it or return an error"),
            );
        }
        if ident == "sleep" && place.in_test && !place.in_wait && is_sleep_path(tokens, index) {
            self.report(
                line,
                "a test sleeps: wait on a condition with a deadline, in a function named wait_..",
            );
        }
        if DEFINERS.iter().any(|definer| ident == definer)
            && let Some(TokenTree::Ident(name)) = next
        {
            self.name(name);
        }
    }

    fn function(&mut self, keyword: &Ident, name: &Ident, tokens: &[TokenTree], index: usize) {
        if name.to_string().starts_with("get_") {
            self.report(
                name.span().start().line,
                format!("`{name}`: no get_ before a name, call it for what it returns"),
            );
        }
        let ends = |token: &&TokenTree| is_punct(Some(token), ';') || braces(token).is_some();
        let Some(body) = tokens.iter().skip(index).find(ends).and_then(braces) else {
            return;
        };
        let first = keyword.span().start().line;
        let lines = body.span_close().end().line.saturating_sub(first) + 1;
        if lines > FUNCTION_LINES_MAX && !self.long_allowed {
            let what = format!(
                "`{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}: keep the branching, move leaves out"
            );
            self.report(first, what);
        }
    }

    fn attribute(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        for (index, token) in tokens.iter().enumerate() {
            let TokenTree::Ident(ident) = token else { continue };
            let line = ident.span().start().line;
            let arguments = tokens.get(index + 1).and_then(parentheses);
            match ident.to_string().as_str() {
                "ignore" if index == 0 => {
                    self.report(line, "an ignored test proves nothing: make it run or take it out")
                }
                "should_panic" => self.report(
                    line,
                    "should_panic passes for any panic: assert on the error instead",
                ),
                "allow" | "expect" if arguments.is_some_and(|arguments| !has_reason(arguments)) => {
                    self.report(
                        line,
                        format!(
                            "`{ident}` without a reason: fix the warning, or #[expect(.., reason = \"..\")]"
                        ),
                    );
                }
                "cfg_attr" => arguments
                    .into_iter()
                    .for_each(|arguments| self.attribute(arguments.stream())),
                _ => {}
            }
        }
    }

    fn name(&mut self, name: &Ident) {
        for segment in segments(&name.to_string()) {
            if let Some((_, instead)) = WORDS.iter().find(|(word, _)| *word == segment) {
                self.report(
                    name.span().start().line,
                    format!("`{name}`: not `{segment}`, but {instead}"),
                );
            }
        }
    }

    fn report(&mut self, line: usize, what: impl Into<String>) {
        self.found.push(self.source.error(line, what));
    }
}

/// Files that hold tests only: `tests.rs`, and all under a folder called `tests`.
fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

/// `#[test]`, `#[tokio::test]` and `#[cfg(test)]`, also with more conditions in `all`.
fn marks_test(attribute: &Group) -> bool {
    let text: String = attribute.stream().to_string().split_whitespace().collect();
    text == "test"
        || text
            .split('(')
            .next()
            .is_some_and(|path| path.ends_with("::test"))
        || text == "cfg(test)"
        || text.starts_with("cfg(all(test")
}

fn has_reason(arguments: &Group) -> bool {
    arguments
        .stream()
        .into_iter()
        .any(|token| matches!(token, TokenTree::Ident(ident) if ident == "reason"))
}

/// Whether the identifier at `index` ends `thread::sleep` or `time::sleep`.
fn is_sleep_path(tokens: &[TokenTree], index: usize) -> bool {
    let Some(before) = index.checked_sub(3) else {
        return false;
    };
    let of_thread_or_time =
        matches!(tokens.get(before), Some(TokenTree::Ident(ident)) if ident == "thread" || ident == "time");
    of_thread_or_time && is_punct(tokens.get(index - 1), ':')
}

fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

fn braces(token: &TokenTree) -> Option<&Group> {
    group(token, Delimiter::Brace)
}

fn parentheses(token: &TokenTree) -> Option<&Group> {
    group(token, Delimiter::Parenthesis)
}

fn group(token: &TokenTree, delimiter: Delimiter) -> Option<&Group> {
    match token {
        TokenTree::Group(group) if group.delimiter() == delimiter => Some(group),
        _ => None,
    }
}

/// The words of an identifier in snake, camel or upper case, in lower case.
fn segments(name: &str) -> Vec<String> {
    let mut segments = vec![String::new()];
    let mut was_lower = false;
    for character in name.chars() {
        if character == '_' || (character.is_ascii_uppercase() && was_lower) {
            segments.push(String::new());
        }
        if character != '_'
            && let Some(last) = segments.last_mut()
        {
            last.push(character.to_ascii_lowercase());
        }
        was_lower = character.is_ascii_lowercase() || character.is_ascii_digit();
    }
    segments.retain(|segment| !segment.is_empty());
    segments
}

const FUNCTION_LINES_MAX: usize = 70;

/// Keywords before the name of something that is defined.
const DEFINERS: &[&str] = &["const", "enum", "fn", "mod", "static", "struct", "trait", "type"];

/// Words that are not in docs/glossary.md, and what to say instead.
const WORDS: &[(&str, &str)] = &[
    ("actor", "the role: officer, supervisor or replica"),
    ("helper", "what it does"),
    ("helpers", "what they do"),
    ("manager", "what it holds or decides"),
    ("upsert", "what is written: a revision"),
    ("util", "what it does"),
    ("utils", "what they do"),
];
