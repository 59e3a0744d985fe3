//! Addresses of services, and what of them reports may show.

/// `url` without the user and password that it may name.
pub(crate) fn without_login(url: &reqwest::Url) -> reqwest::Url {
    let mut bare = url.clone();
    // Neither can fail: an address with a host has been asked for.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare
}

/// The address as reports show it.
pub(crate) fn shown(host: &reqwest::Url) -> String {
    without_login(host).to_string()
}
