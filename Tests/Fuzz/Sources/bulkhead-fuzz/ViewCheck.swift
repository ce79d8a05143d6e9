import BulkheadJSON
import NIOCore

/// A document read where the parser left it says the same as its value.
enum ViewCheck {
    static func isReadable(_ bytes: [UInt8], _ maxDepth: Int) -> Bool {
        do throws(Finding) {
            let refusal = Finding("refused")
            return try JSONView.read(ByteBuffer(bytes: bytes), maxDepth: maxDepth, or: refusal) { (_) throws(Finding) in true }
        } catch {
            return false
        }
    }

    static func check(_ view: JSONView, _ value: JSON) throws(Finding) {
        try promise(view.json == value, "\(value) is seen as \(view.json)")
        let isSame =
            view.bool == value.bool && view.int == value.int && view.double == value.double && view.string == value.string
            && view.isNull == value.isNull && view.isObject == (value.object != nil) && view.isArray == (value.array != nil)
        try promise(isSame, "\(value) is seen otherwise")
        try checkElements(view, value.array ?? [])
        try checkMembers(view, value.object ?? [:])
    }

    private static func checkElements(_ view: JSONView, _ elements: [JSON]) throws(Finding) {
        var seen = view.elements
        try promise(seen.isEmpty == elements.isEmpty, "\(elements) are seen as none or some")
        try promise(seen.only?.json == (elements.count == 1 ? elements.first : .none), "\(elements) are seen as one or not")
        for element in elements {
            guard let next = seen.next() else { throw Finding("too few of \(elements)") }
            try check(next, element)
        }
        try promise(seen.next() == nil, "more than \(elements)")
    }

    private static func checkMembers(_ view: JSONView, _ members: JSONObject) throws(Finding) {
        var seen = view.members
        try promise(seen.isEmpty == members.isEmpty, "\(members) are seen as none or some")
        for (name, value) in members {
            guard let next = seen.next() else { throw Finding("too few of \(members)") }
            try promise(next.name.string == name, "\(name) is seen as \(next.name.string)")
            try check(next.value, value)
        }
        try promise(seen.next() == nil, "more than \(members)")
        try promise(view["type"]?.json == members["type"] && view["a"]?.json == members["a"], "found otherwise in \(members)")
    }
}
