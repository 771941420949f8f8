//! Extracts the tour's script from a Markdown text.

const INFO: &str = "sh tour";

/// The blocks of the tour at their original lines. All other lines are blank, so that bash reports the
/// line numbers of the page. The error is a message, which names the page.
pub(super) fn script(page: &str, markdown: &str) -> Result<String, String> {
    let mut script = String::new();
    let mut open: Option<Block<'_>> = None;
    let mut blocks = 0;
    for (number, line) in (1..).zip(markdown.lines()) {
        match &open {
            Some(block) if block.is_closed_by(line) => open = None,
            Some(block) if block.info == INFO => script.push_str(block.unindented(line)),
            Some(_) => {}
            None => {
                open = Block::opened_by(line, number);
                if let Some(block) = &open {
                    block.check(page)?;
                    blocks += usize::from(block.info == INFO);
                }
            }
        }
        script.push('\n');
    }
    if let Some(block) = open {
        return Err(format!("{page}, line {}: this code block is not closed", block.number));
    }
    if blocks == 0 {
        return Err(format!("{page} has no code block marked `{INFO}`"));
    }
    Ok(script)
}

/// An opened fenced code block.
struct Block<'a> {
    number: usize,
    /// Indentation of the opening fence. In a list, the whole block has it.
    indent: usize,
    fence: &'a str,
    info: &'a str,
}

impl<'a> Block<'a> {
    fn opened_by(line: &'a str, number: usize) -> Option<Self> {
        let text = line.trim_start_matches(' ');
        let mark = text.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let info = text.trim_start_matches(mark);
        let fence = text.strip_suffix(info)?;
        // A line such as "```x```" is text, not a fence.
        let is_fence = fence.len() >= 3 && !(mark == '`' && info.contains('`'));
        is_fence.then(|| Self { number, indent: line.len() - text.len(), fence, info: info.trim() })
    }

    /// Refuses an almost correct mark, because the block would be skipped silently.
    fn check(&self, page: &str) -> Result<(), String> {
        if self.info != INFO && self.info.split_whitespace().any(|word| word == "tour") {
            return Err(format!("{page}, line {}: use ```{INFO}, not ```{}", self.number, self.info));
        }
        Ok(())
    }

    fn is_closed_by(&self, line: &str) -> bool {
        line.trim().strip_prefix(self.fence).is_some_and(|rest| rest.chars().all(|c| self.fence.starts_with(c)))
    }

    fn unindented<'l>(&self, line: &'l str) -> &'l str {
        let spaces = line.len() - line.trim_start_matches(' ').len();
        line.get(spaces.min(self.indent)..).unwrap_or(line)
    }
}

#[cfg(test)]
mod tests {
    fn script(markdown: &str) -> Result<String, String> {
        super::script("README.md", markdown)
    }

    #[test]
    fn the_blocks_keep_their_lines() {
        let readme =
            "# Keyward\n\n```sh tour\necho one\n```\n\ntext\n\n```sh\nnot this\n```\n```sh tour\necho two\n```\n";
        let lines = ["", "", "", "echo one", "", "", "", "", "", "", "", "", "echo two", "", ""];
        assert_eq!(script(readme).unwrap(), lines.join("\n"));
    }

    #[test]
    fn a_block_in_a_list_loses_its_indentation_and_no_more() {
        let readme = "1. first\n\n   ```sh tour\n   if true; then\n     echo x\n   fi\n   ```\n";
        assert_eq!(script(readme).unwrap().trim(), "if true; then\n  echo x\nfi");
    }

    #[test]
    fn a_block_shown_in_a_longer_fence_is_text() {
        let shown = "````md\n```sh tour\nfalse\n```\n````\n";
        assert!(script(shown).is_err());
        let with_another = format!("{shown}~~~sh tour\necho ```\n~~~\n");
        assert_eq!(script(&with_another).unwrap().trim(), "echo ```");
    }

    #[test]
    fn no_tour_is_an_error() {
        assert!(script("# Keyward\n\n```sh\nls\n```\n").unwrap_err().contains("no code block marked `sh tour`"));
    }

    #[test]
    fn a_block_that_is_nearly_marked_is_an_error() {
        let error = script("```sh tour\nls\n```\n\n```bash tour\nls\n```\n").unwrap_err();
        assert_eq!(error, "README.md, line 5: use ```sh tour, not ```bash tour");
    }

    #[test]
    fn a_block_that_is_never_closed_is_an_error() {
        assert!(script("```sh tour\nls\n").unwrap_err().starts_with("README.md, line 1"));
    }
}
