import Glibc
import NIOCore

/// Where a host or an address is. Of a name only `localhost` says so by itself; all others are taken to be outside until they
/// are resolved.
///
/// After the special-purpose registries of IANA (RFC 6890 and its successors), read strictly: what only carries another
/// address inside it (6to4, Teredo, NAT64) is no address of a service.
package enum NetworkKind: String, Sendable, Equatable {
    /// This machine or a private network: 127/8, ::1, 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7, `localhost`.
    case inside = "private"
    /// No address of a service: link-local (with the metadata services of clouds), multicast, unspecified, reserved,
    /// documentation, benchmarks, translation and tunnels.
    case forbidden = "reserved"
    /// Anything else.
    case outside = "public"

    /// - Parameter host: lower-case, IPv6 without brackets.
    package init(host: String) {
        let name = host.hasSuffix(".") ? String(host.dropLast()) : host
        var v4 = in_addr()
        var v6 = in6_addr()
        if inet_pton(AF_INET, name, &v4) == 1 {
            self = Self.kind(v4: withUnsafeBytes(of: &v4) { Array($0) })
        } else if inet_pton(AF_INET6, name, &v6) == 1 {
            self = Self.kind(v6: withUnsafeBytes(of: &v6) { Array($0) })
        } else {
            self = name == "localhost" || name.hasSuffix(".localhost") ? .inside : .outside
        }
    }

    /// Of an address to connect to. Of anything but IPv4 and IPv6 `forbidden`.
    package init(_ address: SocketAddress) {
        switch address {
        case .v4(let address):
            var bytes = address.address.sin_addr
            self = Self.kind(v4: withUnsafeBytes(of: &bytes) { Array($0) })
        case .v6(let address):
            var bytes = address.address.sin6_addr
            self = Self.kind(v6: withUnsafeBytes(of: &bytes) { Array($0) })
        case .unixDomainSocket: self = .forbidden
        }
    }

    private static func kind(v4 bytes: [UInt8]) -> NetworkKind {
        switch (bytes[0], bytes[1], bytes[2]) {
        case (0, _, _), (169, 254, _), (224 ... 255, _, _): .forbidden
        case (192, 0, 0), (192, 0, 2), (192, 88, 99), (198, 18 ... 19, _), (198, 51, 100), (203, 0, 113): .forbidden
        // The metadata service of one cloud.
        case (100, 100, 100) where bytes[3] == 200: .forbidden
        case (10, _, _), (127, _, _), (192, 168, _), (172, 16 ... 31, _), (100, 64 ... 127, _): .inside
        default: .outside
        }
    }

    /// The metadata service of AWS over IPv6, inside a private range.
    private static let metadata: [UInt8] = [0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54]

    private static func kind(v6 bytes: [UInt8]) -> NetworkKind {
        func begins(_ prefix: UInt8...) -> Bool { bytes.starts(with: prefix) }
        if bytes[0 ..< 10].allSatisfy({ $0 == 0 }) {
            if begins(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff) { return kind(v4: Array(bytes[12...])) }
            return bytes[10 ..< 15].allSatisfy { $0 == 0 } && bytes[15] == 1 ? .inside : .forbidden
        }
        if bytes == metadata { return .forbidden }
        switch (bytes[0], bytes[1]) {
        // 64:ff9b::/96 and 64:ff9b:1::/48, 100::/64, 2002::/16, documentation, fe80::/10, fec0::/10, ff00::/8.
        case (0, 0x64) where begins(0, 0x64, 0xff, 0x9b), (1, 0), (0x20, 0x02), (0x3f, 0xff), (0x5f, 0), (0xff, _):
            return .forbidden
        case (0xfe, 0x80 ... 0xff): return .forbidden
        // 2001::/23 with Teredo and ORCHID, 2001:db8::/32.
        case (0x20, 0x01) where bytes[2] <= 1 || begins(0x20, 0x01, 0x0d, 0xb8): return .forbidden
        case (0xfc ... 0xfd, _): return .inside
        // What is not yet handed out (RFC 4291 §2.4: 2000::/3 is global unicast).
        case (0x20 ... 0x3f, _): return .outside
        default: return .forbidden
        }
    }
}
