import Glibc

/// What a host of the configuration says about where it is. Names other than `localhost` are taken to be outside: what they
/// resolve to is not looked at.
package enum NetworkKind: Sendable, Equatable {
    /// This machine or a private network: 127/8, ::1, 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7, `localhost`.
    case inside
    /// No address of a service: link-local (with the metadata services of clouds), multicast, unspecified, reserved.
    case forbidden
    /// Anything else.
    case outside

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

    private static func kind(v4 bytes: [UInt8]) -> NetworkKind {
        switch (bytes[0], bytes[1]) {
        case (0, _), (169, 254), (224 ... 255, _): .forbidden
        case (10, _), (127, _), (192, 168), (172, 16 ... 31), (100, 64 ... 127): .inside
        default: .outside
        }
    }

    private static func kind(v6 bytes: [UInt8]) -> NetworkKind {
        let isMapped = bytes[0 ..< 10].allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
        let isNAT64 = bytes[0 ..< 12].elementsEqual([0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0])
        if isMapped || isNAT64 { return kind(v4: Array(bytes[12...])) }
        if bytes.allSatisfy({ $0 == 0 }) || bytes[0] == 0xff || bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80 { return .forbidden }
        let isLoopback = bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
        return isLoopback || bytes[0] & 0xfe == 0xfc ? .inside : .outside
    }
}
