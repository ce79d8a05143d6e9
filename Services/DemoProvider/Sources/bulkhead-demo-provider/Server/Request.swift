internal import BulkheadJSON
internal import NIOCore
internal import NIOHTTP1

/// A complete request.
struct Request {
    /// Longer bodies are refused with 413.
    static let largestBody = 32 << 20

    var head: HTTPRequestHead
    var body: ByteBuffer

    /// The path without its query, which is nil if there is none.
    var target: (path: Substring, query: Substring?) {
        guard let mark = head.uri.firstIndex(of: "?") else { return (head.uri[...], nil) }
        return (head.uri[..<mark], head.uri[head.uri.index(after: mark)...])
    }

    func json() throws(BadRequest) -> JSON {
        do throws(JSONError) {
            return try JSON.parse(body)
        } catch {
            throw BadRequest(message: "the request body is not accepted: \(error)")
        }
    }
}
