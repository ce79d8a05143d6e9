import BulkheadConfig

/// The place a secret is bound to: a host and a port. Without a port, 443.
package struct SealedHost: Sendable, Hashable, Codable, CustomStringConvertible {
    /// Lower-case, IPv6 without brackets, without a trailing dot.
    package var host: String
    /// 1 … 65535.
    package var port: Int

    init(host: String, port: Int) {
        self.host = host.hasSuffix(".") ? String(host.dropLast()) : host
        self.port = port
    }

    /// Parses `host` or `host:port`; nil when it is neither, or written in a way that `HostSyntax` refuses.
    package init?(_ text: String) {
        if HostSyntax.problem(text) == nil, let url = AbsoluteURL("https://\(text)"), url.path.isEmpty, url.query == nil,
            url.userInfo == nil
        {
            self.init(host: url.host, port: url.port ?? 443)
        } else {
            return nil
        }
    }

    /// `api.openai.com`, `127.0.0.1:9000`, `[::1]:9000`.
    package var description: String {
        if port != 443 { return HostPort(host: host, port: port).description }
        return host.contains(":") ? "[\(host)]" : host
    }
}
