//! An error and what caused it, as one line of text.

use std::error::Error;

/// The error's own text and those of its causes, from the outside in. A cause that the text holds already is not said
/// twice: some errors quote theirs.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Self>>);

    impl std::fmt::Display for Layer {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as &(dyn Error + 'static))
        }
    }

    #[test]
    fn every_cause_is_said_once() {
        let inner = Layer("line 3", None);
        let quoting = Layer("not JSON: line 3", Some(Box::new(inner)));
        assert_eq!(with_causes(&Layer("a.json", Some(Box::new(quoting)))), "a.json: not JSON: line 3");
    }
}
