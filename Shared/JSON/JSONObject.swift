/// The members of a JSON object in the order they were written. RFC 8259 permits a name to repeat: every pair is kept and
/// written back, and a lookup takes the last. Lookups walk the pairs, which beats hashing at the sizes of API objects.
package struct JSONObject: Sendable, Equatable {
    private var members: [Member]

    fileprivate struct Member: Sendable, Equatable {
        var name: String
        var value: JSON
    }

    /// An empty object.
    package init() { members = [] }

    /// The pairs as given, repeated names included.
    package init(_ pairs: some Sequence<(String, JSON)>) {
        members = pairs.map { Member(name: $0.0, value: $0.1) }
    }

    /// How many pairs, repeated names included.
    package var count: Int { members.count }

    /// True if there is no pair.
    package var isEmpty: Bool { members.isEmpty }

    /// The value of `name`; of several the last. Setting replaces that one in its place or appends a new pair; setting nil
    /// removes every pair of the name.
    package subscript(_ name: String) -> JSON? {
        get {
            var index = members.count
            while index > 0 {
                index -= 1
                if members[index].name == name { return members[index].value }
            }
            return nil
        }
        set {
            guard let newValue else { return members.removeAll { $0.name == name } }
            if let index = members.lastIndex(where: { $0.name == name }) {
                members[index].value = newValue
            } else {
                append(name, newValue)
            }
        }
    }

    /// Adds a pair at the end without looking for one of the same name.
    package mutating func append(_ name: String, _ value: JSON) {
        members.append(Member(name: name, value: value))
    }

    /// Makes room for `count` pairs.
    mutating func reserveCapacity(_ count: Int) { members.reserveCapacity(count) }
}

extension JSONObject: Sequence, ExpressibleByDictionaryLiteral {
    /// Walks the pairs in order.
    package struct Iterator: IteratorProtocol {
        fileprivate let members: [Member]
        fileprivate var index = 0

        package mutating func next() -> (name: String, value: JSON)? {
            guard index < members.count else { return nil }
            defer { index += 1 }
            return (members[index].name, members[index].value)
        }
    }

    package func makeIterator() -> Iterator { Iterator(members: members) }

    package var underestimatedCount: Int { count }

    package init(dictionaryLiteral elements: (String, JSON)...) { self.init(elements) }
}
