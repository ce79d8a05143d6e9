/// Builds the tree of one YAML document, within bounds: a file is written by a person, and whatever exceeds this is a
/// mistake or an attack.
struct YAMLReader: ~Copyable {
    /// Levels of nesting.
    static let maxDepth = 32
    /// Values in the file, with every alias counted as often as it is used ("billion laughs").
    static let maxValues = 200_000

    private var events: YAMLEvents
    private var anchors: [String: YAMLNode] = [:]
    private var values = 0

    private init(_ bytes: [UInt8]) { events = YAMLEvents(bytes) }

    /// The root of the document in `bytes` (UTF-8); nil when it holds none (empty, or comments only).
    static func read(_ bytes: [UInt8]) throws(YAMLSyntaxError) -> YAMLNode? {
        var reader = YAMLReader(bytes)
        var root: YAMLNode?
        var documents = 0
        while true {
            let (event, position) = try reader.events.next()
            switch event {
            case .streamEnd: return root
            case .other: continue
            case .documentStart:
                documents += 1
                if documents > 1 {
                    throw YAMLSyntaxError(position: position, found: "a second document", expected: "one document in the file")
                }
            default: root = try reader.node(event, position, depth: 1)
            }
        }
    }

    private mutating func node(_ event: YAMLEvent, _ position: YAMLPosition, depth: Int) throws(YAMLSyntaxError) -> YAMLNode {
        guard depth <= Self.maxDepth else { throw Self.tooDeep(position) }
        try count(1, position)
        switch event {
        case .alias(let name): return try alias(name, position, depth: depth)
        case .scalar(let text, let isPlain, let anchor, let tag):
            let forced = try Self.isString(tag, position)
            let node = YAMLNode(.scalar(.init(text: text, isPlain: isPlain && !forced)), at: position)
            return register(node, anchor)
        case .sequenceStart(let anchor, let tag):
            try Self.refuse(tag, position)
            return register(try sequence(position, depth: depth), anchor)
        case .mappingStart(let anchor, let tag):
            try Self.refuse(tag, position)
            return register(try mapping(position, depth: depth), anchor)
        default: preconditionFailure("bug: the parser sent an end where a value begins")
        }
    }

    private mutating func sequence(_ start: YAMLPosition, depth: Int) throws(YAMLSyntaxError) -> YAMLNode {
        var items: [YAMLNode] = []
        while true {
            let (event, position) = try events.next()
            if case .sequenceEnd = event { return YAMLNode(.sequence(items), at: start) }
            items.append(try node(event, position, depth: depth + 1))
        }
    }

    private mutating func mapping(_ start: YAMLPosition, depth: Int) throws(YAMLSyntaxError) -> YAMLNode {
        var mapping = YAMLNode.Mapping()
        while true {
            let (event, position) = try events.next()
            if case .mappingEnd = event { return YAMLNode(.mapping(mapping), at: start) }
            let key = try key(event, position)
            let (valueEvent, valuePosition) = try events.next()
            let value = try node(valueEvent, valuePosition, depth: depth + 1)
            mapping.add(.init(key: key, keyPosition: position, value: value))
        }
    }

    private mutating func key(_ event: YAMLEvent, _ position: YAMLPosition) throws(YAMLSyntaxError) -> String {
        guard case .scalar(let text, _, let anchor, let tag) = event else {
            throw YAMLSyntaxError(position: position, found: "a key that is not plain text", expected: "a name and a colon")
        }
        if text == "<<" {
            throw YAMLSyntaxError(
                position: position, found: "a merge key (<<)",
                expected: "an alias as a whole value (key: *name), or the keys written out")
        }
        try Self.refuse(tag, position)
        if anchor != nil {
            throw YAMLSyntaxError(position: position, found: "an anchor on a key", expected: "anchors on values only")
        }
        return text
    }

    private mutating func alias(_ name: String, _ position: YAMLPosition, depth: Int) throws(YAMLSyntaxError) -> YAMLNode {
        // An anchor is registered when its value is complete, so a value cannot contain itself.
        guard let node = anchors[name] else {
            throw YAMLSyntaxError(
                position: position, found: "*\(name), which no anchor names", expected: "&\(name) on a value above")
        }
        guard depth + node.height - 1 <= Self.maxDepth else { throw Self.tooDeep(position) }
        try count(node.weight - 1, position)
        return node
    }

    private mutating func register(_ node: YAMLNode, _ anchor: String?) -> YAMLNode {
        if let anchor { anchors[anchor] = node }
        return node
    }

    private mutating func count(_ more: Int, _ position: YAMLPosition) throws(YAMLSyntaxError) {
        let (sum, overflow) = values.addingReportingOverflow(more)
        guard !overflow, sum <= Self.maxValues else {
            throw YAMLSyntaxError(
                position: position, found: "more than \(Self.maxValues) values (an alias counts as often as it is used)",
                expected: "at most \(Self.maxValues)")
        }
        values = sum
    }

    private static func tooDeep(_ position: YAMLPosition) -> YAMLSyntaxError {
        YAMLSyntaxError(position: position, found: "more than \(maxDepth) levels of nesting", expected: "at most \(maxDepth)")
    }

    private static func isString(_ tag: String?, _ position: YAMLPosition) throws(YAMLSyntaxError) -> Bool {
        if tag == "tag:yaml.org,2002:str" || tag == "!" { return true }
        try refuse(tag, position)
        return false
    }

    private static func refuse(_ tag: String?, _ position: YAMLPosition) throws(YAMLSyntaxError) {
        guard tag == nil else {
            throw YAMLSyntaxError(position: position, found: "a YAML tag", expected: "a value without a tag")
        }
    }
}
