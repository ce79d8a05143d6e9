/// Whether two builds understand each other's messages.
///
/// A message may gain and lose fields: every field is optional, unknown ones are skipped, missing ones have their default. A
/// field both know must have the same type and be repeated in both or in neither; so must those of the messages inside it.
/// Names do not travel and may change. Enumerators may be added: an unknown one reads as unspecified.
struct SchemaComparison {
    private struct Pair: Hashable {
        let mine: Int
        let theirs: Int
    }

    private let mine: [MessageForm]
    private let theirs: [MessageForm]
    /// Pairs found equal, or being looked at: a peer may describe messages that contain themselves.
    private var seen: Set<Pair> = []

    private init(_ mine: [MessageForm], _ theirs: [MessageForm]) {
        self.mine = mine
        self.theirs = theirs
    }

    /// Why the method cannot be called across the two schemas; nil when it can.
    static func problem(_ method: String, mine: ServiceSchema, theirs: ServiceSchema) -> String? {
        guard let here = mine.signature(of: method), let there = theirs.signature(of: method) else {
            return "the messages of one side are not known"
        }
        guard here.descriptor.shape == there.descriptor.shape else {
            return "it is \(there.descriptor.shape) at the peer and \(here.descriptor.shape) here"
        }
        var comparison = SchemaComparison(mine.forms, theirs.forms)
        return comparison.problem(here.signature.request, there.signature.request)
            ?? comparison.problem(here.signature.response, there.signature.response)
    }

    private mutating func problem(_ here: Int, _ there: Int) -> String? {
        guard mine.indices.contains(here), theirs.indices.contains(there) else { return "a message is not described" }
        guard seen.insert(Pair(mine: here, theirs: there)).inserted else { return nil }
        let known = Dictionary(theirs[there].fields.map { ($0.number, $0) }) { first, _ in first }
        for field in mine[here].fields {
            guard let other = known[field.number] else { continue }
            if let problem = problem(field, other, in: mine[here].name) { return problem }
        }
        return nil
    }

    private mutating func problem(_ field: MessageForm.Field, _ other: MessageForm.Field, in message: String) -> String? {
        guard field.type == other.type, field.isRepeated == other.isRepeated else {
            return "field \(field.number) of \(message) has another type"
        }
        switch (field.message, other.message) {
        case (nil, nil): return nil
        case (let here?, let there?): return problem(here, there)
        default: return "field \(field.number) of \(message) has another type"
        }
    }
}

extension ServiceSchema {
    fileprivate func signature(of method: String) -> (descriptor: MethodDescriptor, signature: MethodSignature)? {
        guard let place = methods.firstIndex(where: { $0.name == method }), signatures.indices.contains(place) else { return nil }
        return (methods[place], signatures[place])
    }
}
