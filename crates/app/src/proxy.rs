//! Which proxy stands between a program and the network, as its environment says.

use aux_io::http::{Proxy, Url};

/// The environment names a proxy, and its address is none.
#[derive(Debug, thiserror::Error)]
#[error("{variable}: {cause}")]
pub struct ProxyError {
    pub variable: &'static str,
    pub cause: String,
}

impl ProxyError {
    /// What to do about it.
    pub fn advice(&self) -> String {
        format!("correct {}, such as http://proxy.example:3128, or unset it", self.variable)
    }
}

/// `HTTPS_PROXY`, else `ALL_PROXY`, in either case of letters; `NO_PROXY` names who is reached without it.
pub fn proxy(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Proxy>, ProxyError> {
    let variable = |name: &str| {
        let spelled = [name.to_owned(), name.to_lowercase()];
        spelled.iter().find_map(|name| variable(name).filter(|text| !text.is_empty()))
    };
    let Some((name, text)) = ["HTTPS_PROXY", "ALL_PROXY"].iter().find_map(|name| Some((*name, variable(name)?))) else {
        return Ok(None);
    };
    let whole = if text.contains("://") { text } else { format!("http://{text}") };
    let url = Url::parse(&whole).map_err(|error| ProxyError { variable: name, cause: error.to_string() })?;
    let except = variable("NO_PROXY").unwrap_or_default();
    let except = except.split(',').map(str::trim).filter(|host| !host.is_empty()).map(str::to_owned).collect();
    Ok(Some(Proxy { url, except }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(environment: &[(&str, &str)]) -> Result<Option<Proxy>, ProxyError> {
        let find = |name: &str| environment.iter().find(|(known, _)| *known == name);
        proxy(|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn either_case_is_read_and_https_goes_first() {
        assert!(of(&[("HTTPS_PROXY", "")]).unwrap().is_none());
        let found = of(&[("all_proxy", "http://a.example:1"), ("https_proxy", "b.example:2")]).unwrap().unwrap();
        assert_eq!(found.url.to_string(), "http://b.example:2/");
        let found = of(&[("ALL_PROXY", "http://a.example:1"), ("no_proxy", " x.example, ,y ")]).unwrap().unwrap();
        assert_eq!(found.except, ["x.example", "y"]);
    }

    #[test]
    fn what_is_no_address_is_refused_by_its_variable() {
        let error = of(&[("HTTPS_PROXY", "gopher://x")]).unwrap_err();
        assert_eq!(error.variable, "HTTPS_PROXY");
        assert!(error.advice().contains("unset it"));
    }
}
