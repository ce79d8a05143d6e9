import BulkheadJSON

/// Refuses a request with an object that has a member twice. RFC 8259 §4 leaves open which of the two counts: what is checked
/// here could be another one than what a provider reads.
enum RepeatedNames {
    /// Objects of more members are looked through with a set.
    private static let fewMembers = 16

    /// - Throws: `EdgeError` 400 that names the member by its path.
    static func check(_ json: JSON) throws {
        guard let path = find(json) else { return }
        let param = path.reversed().joined()
        throw EdgeError(
            .badRequest, code: "invalid_json",
            message: "The member \(param) stands more than once in its object: send it once.", param: param)
    }

    /// The pieces of the path of the first member that repeats, the innermost first. The parser bounds the depth.
    private static func find(_ json: JSON) -> [String]? {
        switch json {
        case .array(let items):
            for (index, item) in items.enumerated() {
                if var path = find(item) {
                    if path.last?.hasPrefix("[") == false { path.append(".") }
                    return path + ["[\(index)]"]
                }
            }
        case .object(let object):
            if let name = repeated(object) { return [FoundValue.name(name)] }
            for (name, value) in object {
                if var path = find(value) {
                    if path.last?.hasPrefix("[") == false { path.append(".") }
                    return path + [FoundValue.name(name)]
                }
            }
        default: break
        }
        return nil
    }

    private static func repeated(_ object: JSONObject) -> String? {
        if object.count < 2 { return nil }
        if object.count > Self.fewMembers {
            var seen = Set<String>(minimumCapacity: object.count)
            return object.first { !seen.insert($0.name).inserted }?.name
        }
        for (index, member) in object.enumerated() where object.dropFirst(index + 1).contains(where: { $0.name == member.name }) {
            return member.name
        }
        return nil
    }
}
