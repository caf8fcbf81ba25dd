//! A page of the documents, and the code that stands in it.

use serde_json::Value;

use super::super::recipes;

/// A page, by its path in the repository.
pub(super) struct Page {
    name: &'static str,
    text: String,
}

impl Page {
    pub(super) fn open(name: &'static str) -> Self {
        Self { name, text: std::fs::read_to_string(recipes::root(name)).unwrap() }
    }

    /// The blocks of code in a language, from top to bottom.
    pub(super) fn blocks(&self, language: &str) -> Vec<String> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            let Some(of) = line.strip_prefix("```") else { continue };
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            if of == language {
                blocks.push(format!("{}\n", block.join("\n")));
            }
        }
        blocks
    }

    /// The only block in a language that has this in it.
    pub(super) fn block(&self, language: &str, with: &str) -> String {
        let mut found = self.blocks(language);
        found.retain(|block| block.contains(with));
        assert_eq!(found.len(), 1, "{}: blocks of {language} with {with:?}", self.name);
        found.remove(0)
    }

    /// The only block of YAML that has this in it, read.
    pub(super) fn yaml(&self, with: &str) -> Value {
        recipes::yaml(&self.block("yaml", with))[0].clone()
    }
}

/// The pairs of a mapping whose values are texts, numbers or truths, as a process gets them.
pub(super) fn variables(mapping: &Value) -> Vec<(String, String)> {
    let pairs = mapping.as_object().map(|pairs| pairs.iter()).into_iter().flatten();
    pairs
        .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect()
}
