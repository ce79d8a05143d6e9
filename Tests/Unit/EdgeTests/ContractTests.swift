import BulkheadJSON
import EdgeService
import Testing

@Suite("The routes as OpenAPI")
struct ContractTests {
    private func document() throws -> JSON { try JSON.parse(ContractDocument.body) }

    @Test("Every route stands in it with its methods, and its parameters are declared")
    func routes() throws {
        let paths = try #require(try document()["paths"]?.object)
        #expect(Set(paths.map(\.name)) == Set(Endpoint.allCases.map(\.rawValue)))
        #expect(paths["/v1/call/{destination}"]?["post"] != nil && paths["/v1/proxy/{destination}/{path}"]?["delete"] != nil)
        for (path, item) in paths {
            let declared = item["parameters"]?.array?.compactMap { $0["name"]?.string } ?? []
            #expect(declared.map { "{\($0)}" } == path.split(separator: "/").map(String.init).filter { $0.hasPrefix("{") })
        }
    }

    @Test("Operations have names of their own and an answer, and refer to schemas that exist")
    func operations() throws {
        let document = try document()
        let schemas = try #require(document["components"]?["schemas"]?.object)
        var names: Set<String> = []
        for (path, item) in try #require(document["paths"]?.object) {
            for (method, operation) in try #require(item.object) where method != "parameters" {
                let name = try #require(operation["operationId"]?.string, "\(method) \(path)")
                #expect(names.insert(name).inserted && operation["responses"]?.object?.isEmpty == false, "\(name)")
            }
        }
        let text = String(buffer: ContractDocument.body)
        for reference in text.split(separator: "\"#/components/schemas/").dropFirst() {
            #expect(schemas[String(reference.prefix { $0 != "\"" })] != nil)
        }
    }
}
