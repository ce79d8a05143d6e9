import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadJSON
import HTTPTypes
import NIOCore

// In the place of the product's, which come with connections. Headers are not fuzzed here: there are none.

/// The headers of a request.
struct RequestHeaders {
    subscript(name: HTTPField.Name) -> String? { nil }
}

/// An answer that is known as a whole.
struct WholeReply {
    var status: Int
    var contentType: String
    var fields: HTTPFields
    var body: ByteBuffer
}

/// A request that one unary call of the router answers.
protocol SingleCall: Sendable {
    var model: String { get }
    var endUser: String? { get }
    func estimatedTokens(bodyBytes: Int) -> Int
    func run(_ router: RouterClient, _ options: CallOptions) async throws -> SingleAnswer
}

/// The answer of such a call.
struct SingleAnswer: Sendable {
    var served: ChatAPI.Served?
    var usage: ChatAPI.Usage?
    var body: ByteBuffer
}
