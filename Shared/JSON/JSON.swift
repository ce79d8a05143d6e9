/// A JSON value (RFC 8259). Integers keep their 64 bits: `.int` when they fit `Int64`, `.uint` only above that; every other
/// number is a `.double`, so `1` and `1.0` are different values.
package enum JSON: Sendable, Equatable {
    case null
    case bool(Bool)
    case int(Int64)
    case uint(UInt64)
    case double(Double)
    case string(String)
    case array([JSON])
    case object(JSONObject)
}

extension JSON {
    /// True for `null` only.
    package var isNull: Bool { self == .null }

    /// The boolean, or nil for any other type.
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

    /// The number if it is whole and fits, also when written with a fraction of zero; nil for any other value.
    package var int: Int? {
        switch self {
        case .int(let value): Int(value)
        case .double(let value): Int(exactly: value)
        default: nil
        }
    }

    /// The number as a double, integers rounded to the nearest; nil for any other type.
    package var double: Double? {
        switch self {
        case .int(let value): Double(value)
        case .uint(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// The string, or nil for any other type.
    package var string: String? { if case .string(let value) = self { value } else { nil } }

    /// The elements, or nil for any other type.
    package var array: [JSON]? { if case .array(let value) = self { value } else { nil } }

    /// The object, or nil for any other type.
    package var object: JSONObject? { if case .object(let value) = self { value } else { nil } }

    /// The member called `name`; nil if there is none or if this is not an object.
    package subscript(_ name: String) -> JSON? { if case .object(let object) = self { object[name] } else { nil } }

    /// The element at `index`; nil outside the array or if this is not one.
    package subscript(_ index: Int) -> JSON? {
        if case .array(let elements) = self, elements.indices.contains(index) { elements[index] } else { nil }
    }
}

extension JSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByStringInterpolation, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(nilLiteral: ()) { self = .null }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int64) { self = .int(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(stringLiteral value: String) { self = .string(value) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSON)...) { self = .object(JSONObject(elements)) }
}
