// Readers of addresses.
extension ConfigSection {
    /// A TCP address such as `127.0.0.1:8080` or `[::1]:8080`.
    /// - Parameter allowsPortZero: whether port 0 ("any free one") is valid.
    package func hostPort(_ key: String, default: HostPort, allowsPortZero: Bool = false) -> HostPort {
        optionalHostPort(key, allowsPortZero: allowsPortZero, unset: `default`.description) ?? `default`
    }

    /// A TCP address; nil when absent.
    package func optionalHostPort(_ key: String, allowsPortZero: Bool = false) -> HostPort? {
        optionalHostPort(key, allowsPortZero: allowsPortZero, unset: "null")
    }

    /// An absolute URL of one of the schemes; nil when absent or a problem.
    /// - Parameters:
    ///   - schemes: in lower case, e.g. `["https", "http"]`.
    ///   - requiresHost: whether an empty host (`postgresql:///name`) is a problem.
    ///   - allowsHostList: whether `a:1,b:2` may stand for the host.
    package func url(
        _ key: String, schemes: [String], requiresHost: Bool = true, allowsHostList: Bool = false
    ) -> AbsoluteURL? {
        let allowed = schemes.map { "\($0)://" }.joined(separator: " or ")
        let expected = "an absolute URL with \(allowed)\(requiresHost ? " and a host" : "")"
        return optional(key, expected: expected, text: \.description) { scalar in
            guard let url = AbsoluteURL(scalar.text, requiresHost: requiresHost, allowsHostList: allowsHostList),
                schemes.contains(url.scheme)
            else { return nil }
            return url
        }
    }

    /// An absolute URL that must be there; nil is always a problem that has been reported.
    package func requiredURL(_ key: String, schemes: [String]) -> AbsoluteURL? {
        if !contains(key) {
            report(key, found: ConfigProblem.nothing, expected: "an absolute URL such as \(schemes.first ?? "https")://host")
        }
        return url(key, schemes: schemes)
    }

    private func optionalHostPort(_ key: String, allowsPortZero: Bool, unset: String) -> HostPort? {
        let expected = "host:port such as 127.0.0.1:8080 or [::1]:8080, port \(allowsPortZero ? 0 : 1) to 65535"
        return optional(key, expected: expected, unset: unset, text: \.description) {
            HostPort($0.text, allowsPortZero: allowsPortZero)
        }
    }
}
