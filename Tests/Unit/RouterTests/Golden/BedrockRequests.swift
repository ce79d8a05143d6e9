import RouterService

/// What Bedrock requests look like on the wire.
extension BedrockGolden {
    static let requests: [GoldenRequest] = [
        .init(
            chat: "plain", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":4096}}
                """#),
        .init(
            chat: "sampling", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"system":[{"text":"Be brief."}],"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":100,"temperature":1},"additionalModelRequestFields":{"top_k":40}}
                """#),
        .init(
            chat: "probabilities", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                refused: logprobs=true cannot be sent to this model: its provider speaks the Bedrock Converse dialect, which has no such thing.
                """#),
        .init(
            chat: "system in the middle", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"system":[{"text":"One."},{"text":"Two."}],"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"text":"b"}]},{"role":"user","content":[{"text":"c"}]}],"inferenceConfig":{"maxTokens":4096,"stopSequences":["END"]},"additionalModelResponseFieldPaths":["/stop_sequence"]}
                """#),
        .init(
            chat: "images", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                refused: An image by URL cannot be sent to this model: its provider speaks the Bedrock Converse dialect, which has no such thing.
                """#),
        .init(
            chat: "documents", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"document":{"format":"pdf","source":{"bytes":"JVBERg=="},"name":"Report 1 pdf"}},{"document":{"format":"txt","source":{"text":"Plain words."},"name":"Notes"}},{"text":"Sum up."}]}],"inferenceConfig":{"maxTokens":4096}}
                """#),
        .init(
            chat: "sound", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                refused: A content part of this kind cannot be sent to this model: its provider speaks the Bedrock Converse dialect, into which this is not translated.
                """#),
        .init(
            chat: "tools", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":4096},"toolConfig":{"tools":[{"toolSpec":{"name":"weather","description":"Tells.","inputSchema":{"json":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}},{"toolSpec":{"name":"clock","inputSchema":{"json":{"type":"object","properties":{"zone":{"type":["string","null"]}},"additionalProperties":false}}}}],"toolChoice":{"tool":{"name":"clock"}}}}
                """#),
        .init(
            chat: "one tool at a time", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":4096},"toolConfig":{"tools":[{"toolSpec":{"name":"weather","description":"Tells.","inputSchema":{"json":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}}],"toolChoice":{"any":{}}}}
                """#),
        .init(
            chat: "parallel calls and results", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"text":"Weather and time?"}]},{"role":"assistant","content":[{"text":"Let me look."},{"toolUse":{"toolUseId":"functions_weather_0_f403ae4b6d15ba46","name":"weather","input":{"city":"Oslo"}}},{"toolUse":{"toolUseId":"call_b","name":"clock","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"functions_weather_0_f403ae4b6d15ba46","content":[{"text":"rain"}]}},{"toolResult":{"toolUseId":"call_b","content":[{"text":"it stands still"}],"status":"error"}},{"text":"So?"}]}],"inferenceConfig":{"maxTokens":4096},"toolConfig":{"tools":[{"toolSpec":{"name":"weather","description":"Tells.","inputSchema":{"json":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}},{"toolSpec":{"name":"clock","inputSchema":{"json":{"type":"object","properties":{"zone":{"type":["string","null"]}},"additionalProperties":false}}}}]}}
                """#),
        .init(
            chat: "results with images", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"text":"Draw."}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"t1","name":"draw","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"text":"Done:"},{"image":{"format":"png","source":{"bytes":"QUJD"}}}]}}]}],"inferenceConfig":{"maxTokens":4096}}
                """#),
        .init(
            chat: "schema", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":4096},"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"}},\"required\":[\"name\"],\"additionalProperties\":false}","name":"city"}}}}}
                """#),
        .init(
            chat: "JSON mode", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                refused: response_format of type 'json_object' cannot be sent to this model: its provider speaks the Bedrock Converse dialect, which has no such thing.
                """#),
        .init(
            chat: "effort", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":20000},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":8192}}}
                """#),
        .init(
            chat: "budget", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":8000},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":3000}}}
                """#),
        .init(
            chat: "no reasoning", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":100},"additionalModelRequestFields":{"thinking":{"type":"disabled"}}}
                """#),
        .init(
            chat: "signatures of all", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"text":"Hi"}]},{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"as Claude","signature":"sig-a"}}},{"reasoningContent":{"reasoningText":{"text":"on Bedrock","signature":"sig-b"}}},{"reasoningContent":{"redactedContent":"hidden-b"}},{"toolUse":{"toolUseId":"c1","name":"clock","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"c1","content":[{"text":"noon"}]}}]}],"inferenceConfig":{"maxTokens":4096}}
                """#),
        .init(
            chat: "OpenAI members", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":50}}
                """#),
        .init(
            chat: "Anthropic members", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":1000}}
                """#),
        .init(
            chat: "Responses members", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":30000},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":24576}}}
                """#),
        .init(
            chat: "unknown member", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                refused: The member 'web_search_options' cannot be sent to this model: its provider speaks the Bedrock Converse dialect, into which this is not translated.
                """#),
        .init(
            chat: "several choices", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                refused: n=2 cannot be sent to this model: its provider speaks the Bedrock Converse dialect, which has no such thing.
                """#),
        .init(
            chat: "cache marks", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"system":[{"text":"Long."},{"cachePoint":{"type":"default","ttl":"1h"}}],"messages":[{"role":"user","content":[{"text":"Hi"},{"cachePoint":{"type":"default"}}]}],"inferenceConfig":{"maxTokens":100},"toolConfig":{"tools":[{"toolSpec":{"name":"weather","inputSchema":{"json":{"type":"object"}}}},{"cachePoint":{"type":"default","ttl":"1h"}}]}}
                """#),
        .init(
            chat: "raw parts", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                refused: A content part of type 'search_result' cannot be sent to this model: its provider speaks the Bedrock Converse dialect, into which this is not translated.
                """#),
        .init(
            chat: "prefill", dialect: .bedrock, model: "anthropic.claude-sonnet-4-5-v1:0",
            expected: #"""
                /model/anthropic.claude-sonnet-4-5-v1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"text":"List."}]},{"role":"assistant","content":[{"text":"1."}]}],"inferenceConfig":{"maxTokens":4096}}
                """#),
        .init(
            chat: "signatures of all", dialect: .bedrock, model: "amazon.nova-pro-v1:0",
            expected: #"""
                /model/amazon.nova-pro-v1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"text":"Hi"}]},{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"on Bedrock","signature":"sig-b"}}},{"reasoningContent":{"redactedContent":"hidden-b"}},{"toolUse":{"toolUseId":"c1","name":"clock","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"c1","content":[{"text":"noon"}]}}]}]}
                """#),
        .init(
            chat: "cache marks", dialect: .bedrock, model: "meta.llama3-70b-instruct-v1:0",
            expected: #"""
                /model/meta.llama3-70b-instruct-v1%3A0/converse-stream
                {"system":[{"text":"Long."}],"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":100},"toolConfig":{"tools":[{"toolSpec":{"name":"weather","inputSchema":{"json":{"type":"object"}}}}]}}
                """#),
        .init(
            chat: "effort", dialect: .bedrock, model: "openai.gpt-oss-120b-1:0",
            expected: #"""
                /model/openai.gpt-oss-120b-1%3A0/converse-stream
                {"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":20000,"temperature":0.2},"additionalModelRequestFields":{"reasoning_effort":"medium"}}
                """#),
        .init(
            chat: "plain", dialect: .bedrock, model: "arn:aws:bedrock:eu-central-1:1:inference-profile/x",
            expected: #"""
                refused: The model 'arn:aws:bedrock:eu-central-1:1:inference-profile/x' cannot be asked: its provider takes the name in a path, where this one has no place.
                """#),
        .init(
            chat: "effort", dialect: .bedrock, model: "anthropic.claude-opus-4-6-v1",
            expected: #"""
                /model/anthropic.claude-opus-4-6-v1/converse-stream
                {"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":20000},"additionalModelRequestFields":{"thinking":{"type":"adaptive"},"output_config":{"effort":"medium"}}}
                """#),
    ]
}
