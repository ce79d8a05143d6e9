/// Finds the values of a tree that look like secrets, wherever they stand, each node once.
struct SecretScan {
    private(set) var nodes: Set<ObjectIdentifier> = []
    private(set) var findings: [(position: YAMLPosition, path: String)] = []
    private var visited: Set<ObjectIdentifier> = []

    /// - Parameter key: the name of the nearest mapping key above `node`.
    mutating func visit(_ node: YAMLNode, path: String, key: String) {
        guard visited.insert(ObjectIdentifier(node)).inserted else { return }
        switch node.content {
        case .scalar(let scalar):
            guard SecretShape.matches(scalar.text, key: key) else { return }
            nodes.insert(ObjectIdentifier(node))
            findings.append((node.position, path))
        case .mapping(let mapping):
            for entry in mapping.entries {
                let inner = ConfigDocument.join(path, entry.key)
                if SecretShape.matches(entry.key, key: "") { findings.append((entry.keyPosition, inner)) }
                visit(entry.value, path: inner, key: entry.key)
            }
        case .sequence(let items):
            for (index, item) in items.enumerated() { visit(item, path: "\(path)[\(index)]", key: key) }
        }
    }
}
