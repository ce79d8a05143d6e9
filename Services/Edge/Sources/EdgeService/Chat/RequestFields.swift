import BulkheadJSON

/// Reads the members of a JSON object that a client sent. A member that is null counts as absent; one of the wrong type is a
/// 400 that names it by its path, e.g. `messages[2].content`.
struct RequestFields {
    let object: JSONObject
    private let path: String

    /// - Parameter path: where the object stands; empty for the whole body.
    init(_ object: JSONObject, path: String = "") {
        self.object = object
        self.path = path
    }

    /// The body of a request. - Throws: `EdgeError` when it is no object.
    init(body: JSON) throws {
        guard let object = body.object else {
            throw EdgeError(.badRequest, message: "The request body must be a JSON object; it is \(FoundValue.text(body)).")
        }
        self.init(object)
    }

    /// A member's path.
    func param(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// The member unless it is null.
    func value(_ name: String) -> JSON? {
        guard let value = object[name], !value.isNull else { return nil }
        return value
    }

    func string(_ name: String) throws -> String? { try read(name, "a string", \.string) }
    func bool(_ name: String) throws -> Bool? { try read(name, "true or false", \.bool) }
    func double(_ name: String) throws -> Double? { try read(name, "a number", \.double) }
    func array(_ name: String) throws -> [JSON]? { try read(name, "an array", \.array) }

    func int(_ name: String, in range: ClosedRange<Int> = .min ... .max) throws -> Int? {
        guard let number = try read(name, "a whole number", \.int) else { return nil }
        if range.contains(number) { return number }
        let bounds = range.upperBound == .max ? "at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
        throw EdgeError.field(param(name), "\(param(name)) must be \(bounds); it is \(number).")
    }

    func requiredString(_ name: String) throws -> String {
        guard let text = try string(name) else { throw missing(name) }
        return text
    }

    func requiredArray(_ name: String) throws -> [JSON] {
        guard let items = try array(name) else { throw missing(name) }
        return items
    }

    /// The member as an object, to be read in turn.
    func fields(_ name: String) throws -> RequestFields? {
        try read(name, "an object", \.object).map { RequestFields($0, path: param(name)) }
    }

    /// The elements of the member as objects.
    func list(_ name: String) throws -> [RequestFields]? {
        guard let items = try array(name) else { return nil }
        return try items.enumerated().map { try Self.element($1, at: "\(param(name))[\($0)]") }
    }

    /// An element of an array as an object.
    static func element(_ json: JSON, at path: String) throws -> RequestFields {
        guard let object = json.object else {
            throw EdgeError.field(path, "\(path) must be an object; it is \(FoundValue.text(json)).")
        }
        return RequestFields(object, path: path)
    }

    /// A string, or several in an array.
    func strings(_ name: String) throws -> [String]? {
        guard let value = value(name) else { return nil }
        if let text = value.string { return [text] }
        guard let items = value.array else { throw wrong(name, "a string or an array of strings") }
        return try items.enumerated().map { index, item in
            guard let text = item.string else {
                let place = "\(param(name))[\(index)]"
                throw EdgeError.field(place, "\(place) must be a string; it is \(FoundValue.text(item)).")
            }
            return text
        }
    }

    /// The members besides `known` as a JSON object; nil when there are none.
    /// - Parameter inside: members that are objects of which only some members are known: the others stay inside them.
    func extra(besides known: Set<String>, inside: [String: Set<String>] = [:]) -> String? {
        let rest = rest(besides: known, inside: inside)
        return rest.isEmpty ? nil : JSON.object(rest).text()
    }

    /// The same, in its parts.
    func rest(besides known: Set<String>, inside: [String: Set<String>]) -> JSONObject {
        if inside.isEmpty { return rest(besides: known) }
        return JSONObject(
            object.lazy.filter { !known.contains($0.name) }.compactMap { name, value in
                guard let read = inside[name], let members = value.object else { return (name, value) }
                let rest = RequestFields(members).rest(besides: read)
                return rest.isEmpty ? nil : (name, .object(rest))
            })
    }

    /// - Throws: 400 that names the first member besides `known`; for objects that are not forwarded.
    func refuseOthers(besides known: Set<String>) throws {
        guard let other = object.first(where: { !known.contains($0.name) && !$0.value.isNull }) else { return }
        let place = param(FoundValue.name(other.name))
        throw EdgeError.field(place, "\(place) is not known; there are: \(known.sorted().joined(separator: ", ")).")
    }

    /// A string, or a list of objects.
    /// - Parameter expected: what to call them in an error.
    func textOrList(_ name: String, _ expected: String) throws -> (text: String?, list: [RequestFields]) {
        guard let value = value(name) else { throw missing(name) }
        if let text = value.string { return (text, []) }
        guard value.array != nil, let list = try list(name) else { throw wrong(name, expected) }
        return (nil, list)
    }

    /// The members besides `known`.
    func rest(besides known: Set<String>) -> JSONObject {
        // Plain: lazy sequences are generic code of the standard library, and most objects have nothing left.
        var rest = JSONObject()
        for (name, value) in object where !known.contains(name) { rest.append(name, value) }
        return rest
    }

    /// The object as JSON text.
    var text: String { JSON.object(object).text() }

    func missing(_ name: String) -> EdgeError {
        .field(param(name), "\(param(name)) is required\(object[name] == nil ? "" : "; it is null").")
    }

    func wrong(_ name: String, _ expected: String) -> EdgeError {
        .field(param(name), "\(param(name)) must be \(expected); it is \(FoundValue.text(object[name] ?? .null)).")
    }

    private func read<Value>(_ name: String, _ expected: String, _ take: (JSON) -> Value?) throws -> Value? {
        guard let value = value(name) else { return nil }
        guard let taken = take(value) else { throw wrong(name, expected) }
        return taken
    }
}
