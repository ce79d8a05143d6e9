import AsyncHTTPClient
import NIOHTTP1
import Synchronization

/// Requests of one destination without headers and body, kept by method and URL: taking a URL apart anew was a twentieth of a
/// call. URLs with a query are never kept: a query may hold the secret. Bounded; full, it begins anew.
final class RequestForms: Sendable {
    private static let capacity = 64

    private let kept = Mutex<[String: HTTPClient.Request]>([:])

    /// - Throws: what the HTTP client says of a URL it does not take.
    func form(_ method: HTTPMethod, _ url: String, hasQuery: Bool) throws -> HTTPClient.Request {
        if hasQuery { return try HTTPClient.Request(url: url, method: method) }
        let key = "\(method.rawValue) \(url)"
        if let form = kept.withLock({ $0[key] }) { return form }
        let form = try HTTPClient.Request(url: url, method: method)
        kept.withLock { kept in
            if kept.count >= Self.capacity { kept.removeAll(keepingCapacity: true) }
            kept[key] = form
        }
        return form
    }
}
