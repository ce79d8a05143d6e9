import BulkheadJSON
import NIOCore
import NIOHTTP1

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

    /// The body, with some members set that the dialect has elsewhere.
    func json(adding additions: JSONObject = [:]) throws(BadRequest) -> JSON {
        let json: JSON
        do throws(JSONError) {
            json = try JSON.parse(body)
        } catch {
            throw BadRequest(message: "the request body is not accepted: \(error)")
        }
        guard var members = json.object else { throw BadRequest(message: "the request body is not a JSON object") }
        if additions.isEmpty { return json }
        for (name, value) in additions { members[name] = value }
        return .object(members)
    }
}
