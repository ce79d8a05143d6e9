import BulkheadAPI
import HTTPTypes
import NIOCore

/// An answer noted down on its way to the client, so that it can be given again.
package struct AnswerCopy {
    /// Bytes of a body that session keeps at most.
    package static let limit = 4 << 20

    private var answer = SessionAPI.StoredAnswer()
    private var body = ByteBuffer()
    private var isTooLarge = false

    /// Of nothing yet.
    package init() {}

    mutating func begin(_ head: RelayedHead) {
        answer.status = head.status
        answer.contentType = head.fields[.contentType] ?? ""
        answer.headers = head.fields.filter { $0.name != .contentType }.map { "\($0.name.rawName): \($0.value)" }
    }

    mutating func add(_ piece: ByteBuffer) {
        guard body.readableBytes + piece.readableBytes <= Self.limit else {
            isTooLarge = true
            body = ByteBuffer()
            return
        }
        if !isTooLarge { body.writeImmutableBuffer(piece) }
    }

    /// What becomes of the Idempotency-Key: the answer is kept if the same request would meet it again, else the key is free. Of an
    /// answer too large to keep it is kept that the request ran, so that it does not run again.
    var fate: ClaimFate {
        guard (200 ..< 400).contains(answer.status) || ClaimFate.lasting.contains(answer.status) else { return .release }
        if isTooLarge { return .keepNothing(answer) }
        var whole = answer
        whole.body = body
        return .keep(whole)
    }

    /// An answer that is given again.
    static func replay(_ stored: SessionAPI.StoredAnswer, _ degraded: [String]) -> (head: RelayedHead, body: ByteBuffer) {
        var fields = HTTPFields()
        for line in stored.headers {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let name = HTTPField.Name(String(parts[0])) else { continue }
            fields.append(HTTPField(name: name, value: parts[1].drop { $0 == " " }.description))
        }
        if !stored.contentType.isEmpty { fields[.contentType] = stored.contentType }
        fields[.idempotentReplayed] = "true"
        if !stored.requestID.isEmpty { fields[.originalRequestID] = stored.requestID }
        AnswerFields.addDegraded(degraded, to: &fields)
        let body = stored.body ?? ByteBuffer()
        var head = RelayedHead(status: stored.status, fields: fields)
        if head.hasBody { head.length = body.readableBytes }
        return (head, body)
    }
}
