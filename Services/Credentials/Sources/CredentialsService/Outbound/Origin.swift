import BulkheadConfig

/// The oldest version of TLS that is spoken.
package enum TLSFloor: String, Sendable, Hashable, CaseIterable, Codable {
    case v12 = "1.2"
    case v13 = "1.3"
}

/// A server that requests go to, and what holds for every connection to it. Connections are shared by what is equal.
package struct Origin: Sendable, Hashable {
    /// Whether the connection is encrypted.
    package var isTLS: Bool
    /// A name or an address: lower-case, IPv6 without brackets.
    package var host: String
    /// 1 … 65535.
    package var port: Int
    /// Whether its name may resolve to addresses of this machine or of a private network.
    package var allowsPrivate: Bool
    /// The oldest TLS it may speak.
    package var minimumTLS: TLSFloor
    /// SHA-256 of public keys (SubjectPublicKeyInfo) in base64, one of which the verified chain must hold; empty: any. RFC 7469
    /// §2.4 is the notation, with or without the leading `sha256/`.
    package var pins: [String]

    /// The origin of a destination's URL.
    package init(_ url: AbsoluteURL, allowsPrivate: Bool, minimumTLS: TLSFloor = .v12, pins: [String] = []) {
        isTLS = url.scheme == "https"
        host = url.host
        port = url.effectivePort ?? 443
        self.allowsPrivate = allowsPrivate
        self.minimumTLS = minimumTLS
        self.pins = pins.map { $0.hasPrefix("sha256/") ? String($0.dropFirst(7)) : $0 }
        let name = host.contains(":") ? "[\(host)]" : host
        authority = port == (isTLS ? 443 : 80) ? name : "\(name):\(port)"
        place = "\(name):\(port)"
    }

    /// `Host` as it goes into a request: the port only when it is not the scheme's own.
    package let authority: String
    /// Host and port, always.
    let place: String

    package static func == (left: Self, right: Self) -> Bool {
        left.port == right.port && left.host == right.host && left.isTLS == right.isTLS
            && left.allowsPrivate == right.allowsPrivate && left.minimumTLS == right.minimumTLS && left.pins == right.pins
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(host)
        hasher.combine(port)
    }

    /// The name without a trailing dot, for TLS.
    var name: String { host.hasSuffix(".") ? String(host.dropLast()) : host }
}
