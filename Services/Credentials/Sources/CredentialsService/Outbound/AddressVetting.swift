import BulkheadCore
import NIOCore

/// Which addresses a name may lead to.
enum AddressVetting {
    /// One address that may not be reached refuses the whole answer: a name that leads inside at times is not trusted at others.
    /// - Throws: PERMISSION_DENIED `destination_denied`.
    static func check(_ addresses: [SocketAddress], of origin: Origin) throws(CallError) {
        for address in addresses {
            switch NetworkKind(address) {
            case .outside: continue
            case .inside where origin.allowsPrivate: continue
            case .inside: throw refusal(origin, .inside, "`private_network: true` of the destination would allow it")
            case .forbidden: throw refusal(origin, .forbidden, "no setting allows it")
            }
        }
    }

    /// For a host that somebody else resolves: what the name itself says.
    /// - Throws: PERMISSION_DENIED `destination_denied`.
    static func check(unresolved origin: Origin) throws(CallError) {
        switch NetworkKind(host: origin.name) {
        case .outside: return
        case .inside where origin.allowsPrivate: return
        case .inside: throw refusal(origin, .inside, "`private_network: true` of the destination would allow it")
        case .forbidden: throw refusal(origin, .forbidden, "no setting allows it")
        }
    }

    private static func refusal(_ origin: Origin, _ kind: NetworkKind, _ advice: String) -> CallError {
        CallError(
            .permissionDenied, reason: "destination_denied",
            message: "\(origin.host) leads to a \(kind.rawValue) address, which is not allowed: \(advice)", notProcessed: true)
    }
}
