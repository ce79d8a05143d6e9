import BulkheadJSON
import NIOCore

/// The JSON body of a request.
package enum RequestJSON {
    /// - Throws: `EdgeError` 400 that says what kind of thing is wrong, or which member repeats; the body is not quoted.
    package static func parse(_ body: ByteBuffer) throws -> JSON {
        let json: JSON
        do {
            json = try JSON.parse(body)
        } catch {
            throw EdgeError(
                .badRequest, code: "invalid_json",
                message: "The request body of \(body.readableBytes) bytes is not acceptable JSON: \(error).")
        }
        try RepeatedNames.check(json)
        return json
    }
}
