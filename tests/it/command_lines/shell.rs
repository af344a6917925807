//! As much of a shell's grammar as is needed to find commands and their words.

/// The simple commands of a script, each as its words without quotes. Comments, redirections and what stands in
/// front of a command (`sudo`, `if`, `do`, assignments) are left out.
pub fn commands(script: &str) -> Vec<Vec<String>> {
    let (mut found, mut words) = (Vec::new(), Vec::new());
    for token in tokens(script) {
        match token {
            Token::Word(word) => words.push(word),
            Token::End => found.push(std::mem::take(&mut words)),
        }
    }
    found.push(words);
    found.into_iter().map(|words| bare(&words)).filter(|words| !words.is_empty()).collect()
}

enum Token {
    Word(String),
    End,
}

fn tokens(script: &str) -> Vec<Token> {
    let script = script.replace("\\\n", " ");
    let (mut tokens, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    let mut signs = script.chars().peekable();
    while let Some(sign) = signs.next() {
        match (quote, sign) {
            (Some(open), _) if sign == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(sign),
            (None, '\'' | '"') => {
                quote = Some(sign);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().extend(signs.next()),
            (None, '#') if word.is_none() => while signs.next_if(|sign| *sign != '\n').is_some() {},
            (None, '$') if signs.next_if_eq(&'(').is_some() => end(&mut tokens, &mut word, true),
            (None, '\n' | ';' | '|' | '&' | '(' | ')') => end(&mut tokens, &mut word, true),
            (None, ' ' | '\t') => end(&mut tokens, &mut word, false),
            (None, _) => word.get_or_insert_default().push(sign),
        }
    }
    end(&mut tokens, &mut word, true);
    tokens
}

fn end(tokens: &mut Vec<Token>, word: &mut Option<String>, of_the_command: bool) {
    tokens.extend(word.take().map(Token::Word));
    if of_the_command {
        tokens.push(Token::End);
    }
}

/// A command without what stands in front of it and without its redirections.
fn bare(words: &[String]) -> Vec<String> {
    let in_front = |word: &&String| {
        let assigned = word
            .split_once('=')
            .is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'));
        ["sudo", "if", "then", "else", "do", "while", "until", "!", "{", "}", "$"].contains(&word.as_str())
            || assigned
    };
    let mut kept = Vec::new();
    let mut rest = words.iter().skip_while(in_front);
    while let Some(word) = rest.next() {
        match word.trim_start_matches(|sign: char| sign.is_ascii_digit()).strip_prefix(['>', '<']) {
            // The file is the next word, unless it stands right behind the sign.
            Some("" | ">") => {
                rest.next();
            }
            Some(_) => {}
            None => kept.push(word.clone()),
        }
    }
    kept
}

#[test]
fn finds_commands_in_a_script() {
    let script = "sudo a 'b c' \\\n  -d > e # f\nX=1 g | h && i \"$(j)\"\nif k; then l=$(m n); fi";
    let found: Vec<String> = commands(script).iter().map(|words| words.join("|")).collect();
    assert_eq!(found, ["a|b c|-d", "g", "h", "i|$(j)", "k", "l=", "m|n", "fi"]);
}
