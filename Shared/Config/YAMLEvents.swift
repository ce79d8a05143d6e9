import CYaml

/// A file that is not YAML, or not YAML as a configuration may be.
struct YAMLSyntaxError: Error {
    var position: YAMLPosition
    /// What was found, e.g. `a tab where spaces are needed`.
    var found: String
    /// What to write instead.
    var expected: String
}

/// One step of the parser with what the tree needs of it.
enum YAMLEvent {
    case alias(String)
    case scalar(text: String, isPlain: Bool, anchor: String?, tag: String?)
    case sequenceStart(anchor: String?, tag: String?)
    case sequenceEnd
    case mappingStart(anchor: String?, tag: String?)
    case mappingEnd
    case documentStart
    case streamEnd
    /// Start of the stream, end of a document: nothing the tree needs.
    case other
}

/// libyaml's event stream over the bytes of a file. The one place that touches its C types.
struct YAMLEvents: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    // libyaml reads from the bytes it is given until the parser is deleted.
    private let bytes: UnsafeMutableBufferPointer<UInt8>

    init(_ content: [UInt8]) {
        bytes = .allocate(capacity: max(content.count, 1))
        _ = bytes.initialize(from: content)
        parser = .allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
        let initialized = yaml_parser_initialize(parser)
        precondition(initialized == 1, "bug: no memory for a YAML parser")
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, bytes.baseAddress, content.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        bytes.deallocate()
    }

    /// The next event and where it begins.
    mutating func next() throws(YAMLSyntaxError) -> (event: YAMLEvent, position: YAMLPosition) {
        var raw = yaml_event_t()
        guard yaml_parser_parse(parser, &raw) == 1 else { throw syntaxError() }
        defer { yaml_event_delete(&raw) }
        return (Self.event(raw), Self.position(raw.start_mark))
    }

    private static func event(_ raw: yaml_event_t) -> YAMLEvent {
        switch raw.type {
        case YAML_ALIAS_EVENT: .alias(string(raw.data.alias.anchor) ?? "")
        case YAML_SCALAR_EVENT: scalar(raw)
        case YAML_SEQUENCE_START_EVENT:
            .sequenceStart(anchor: string(raw.data.sequence_start.anchor), tag: string(raw.data.sequence_start.tag))
        case YAML_SEQUENCE_END_EVENT: .sequenceEnd
        case YAML_MAPPING_START_EVENT:
            .mappingStart(anchor: string(raw.data.mapping_start.anchor), tag: string(raw.data.mapping_start.tag))
        case YAML_MAPPING_END_EVENT: .mappingEnd
        case YAML_DOCUMENT_START_EVENT: .documentStart
        case YAML_STREAM_END_EVENT: .streamEnd
        default: .other
        }
    }

    private static func scalar(_ raw: yaml_event_t) -> YAMLEvent {
        let value = raw.data.scalar
        let text = String(decoding: UnsafeBufferPointer(start: value.value, count: value.length), as: UTF8.self)
        return .scalar(
            text: text, isPlain: value.style == YAML_PLAIN_SCALAR_STYLE, anchor: string(value.anchor), tag: string(value.tag))
    }

    private static func string(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        pointer.map { String(cString: $0) }
    }

    private static func position(_ mark: yaml_mark_t) -> YAMLPosition {
        YAMLPosition(line: Int(mark.line) + 1, column: Int(mark.column) + 1)
    }

    /// libyaml's own words: they name characters and constructs of YAML, never the text of the file.
    private func syntaxError() -> YAMLSyntaxError {
        let state = parser.pointee
        let problem = state.problem.map { String(cString: $0) } ?? "not readable as YAML"
        let context = state.context.map { " (\(String(cString: $0)))" } ?? ""
        let position =
            state.error == YAML_READER_ERROR
            ? lineAndColumn(ofByte: state.problem_offset) : Self.position(state.problem_mark)
        return YAMLSyntaxError(position: position, found: problem + context, expected: "valid YAML")
    }

    private func lineAndColumn(ofByte offset: Int) -> YAMLPosition {
        let before = bytes.prefix(max(0, min(offset, bytes.count)))
        let line = before.lazy.filter { $0 == UInt8(ascii: "\n") }.count + 1
        let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? before.startIndex
        // Continuation bytes are no characters of their own.
        let column = before[start...].lazy.filter { $0 & 0xC0 != 0x80 }.count + 1
        return YAMLPosition(line: line, column: column)
    }
}
