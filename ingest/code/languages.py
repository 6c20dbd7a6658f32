"""The table of programming languages: which nodes of each one's syntax are definitions, imports and calls."""

from __future__ import annotations

import re

from phidex.ingest.code import names
from phidex.ingest.code.grammar import Grammar
from phidex.ingest.code.names import Naming


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _named(types: str) -> dict[str, Naming]:
    """Definitions that have their name in the field `name`."""
    return dict.fromkeys(types.split(), "name")


_JS_FUNCTIONS = {
    "function_declaration": "name",
    "generator_function_declaration": "name",
    "class_declaration": "name",
    "method_definition": "name",
    "lexical_declaration": names.assigned,
    "variable_declaration": names.assigned,
    "expression_statement": names.assigned,
    "field_definition": names.assigned_field,
}
_TS_FUNCTIONS = {
    **_JS_FUNCTIONS,
    "public_field_definition": names.assigned_field,
    "abstract_class_declaration": "name",
    "interface_declaration": "name",
    "type_alias_declaration": "name",
    "enum_declaration": "name",
    "function_signature": "name",
    "abstract_method_signature": "name",
}
_JS_IMPORTS = _words("import_statement lexical_declaration variable_declaration")
_JS_MARK = re.compile(r"\bimport\b|\brequire\s*\(")
_C_BRANCHES = "preproc_ifdef preproc_if preproc_else preproc_elif linkage_specification declaration_list"
_C_TYPES = {
    "function_definition": names.declared,
    "struct_specifier": names.with_body,
    "union_specifier": names.with_body,
    "enum_specifier": names.with_body,
    "type_definition": names.typedef,
    "preproc_function_def": "name",
}


def _typescript(name: str, function: str, *suffixes: str) -> Grammar:
    return Grammar(
        name,
        "tree_sitter_typescript",
        suffixes,
        definitions=_TS_FUNCTIONS,
        classes=_words("class_declaration abstract_class_declaration"),
        scopes={"internal_module": "name", "module": "name"},
        through=_words("class_body statement_block"),
        wrappers=_words("export_statement ambient_declaration expression_statement"),
        leading=_words("comment decorator"),
        joined=_words("function_signature"),
        imports=_JS_IMPORTS,
        import_mark=_JS_MARK,
        import_style="quoted",
        function=function,
    )


GRAMMARS: tuple[Grammar, ...] = (
    Grammar(
        "python",
        "tree_sitter_python",
        (".py", ".pyi", ".pyw"),
        definitions={"function_definition": "name", "class_definition": "name"},
        classes=_words("class_definition"),
        through=_words(
            "block if_statement else_clause elif_clause try_statement except_clause finally_clause with_statement"
            " for_statement while_statement match_statement case_clause except_group_clause"
        ),
        wrappers=_words("decorated_definition"),
        imports=_words("import_statement import_from_statement"),
        import_style="python",
    ),
    Grammar(
        "javascript",
        "tree_sitter_javascript",
        (".js", ".jsx", ".mjs", ".cjs"),
        definitions=_JS_FUNCTIONS,
        classes=_words("class_declaration"),
        through=_words("class_body"),
        wrappers=_words("export_statement"),
        leading=_words("comment decorator"),
        imports=_JS_IMPORTS,
        import_mark=_JS_MARK,
        import_style="quoted",
    ),
    _typescript("typescript", "language_typescript", ".ts", ".mts", ".cts"),
    _typescript("tsx", "language_tsx", ".tsx"),
    Grammar(
        "java",
        "tree_sitter_java",
        (".java",),
        definitions=_named(
            "class_declaration interface_declaration enum_declaration record_declaration annotation_type_declaration"
            " method_declaration constructor_declaration compact_constructor_declaration"
        ),
        classes=_words("class_declaration interface_declaration enum_declaration record_declaration"),
        through=_words("class_body interface_body enum_body enum_body_declarations"),
        leading=_words("line_comment block_comment"),
        imports=_words("import_declaration"),
    ),
    Grammar(
        "go",
        "tree_sitter_go",
        (".go",),
        definitions={
            "function_declaration": "name",
            "method_declaration": names.received,
            "type_spec": "name",
            "type_alias": "name",
        },
        through=_words("type_declaration"),
        imports=_words("import_declaration"),
        import_style="quoted",
    ),
    Grammar(
        "rust",
        "tree_sitter_rust",
        (".rs",),
        definitions={
            **_named(
                "function_item function_signature_item struct_item enum_item union_item trait_item macro_definition type_item"
            ),
            "impl_item": names.implemented,
            "mod_item": names.with_body,
        },
        classes=_words("impl_item trait_item mod_item"),
        through=_words("declaration_list foreign_mod_item"),
        leading=_words("line_comment block_comment attribute_item"),
        imports=_words("use_declaration"),
    ),
    Grammar(
        "c",
        "tree_sitter_c",
        (".c",),
        definitions=_C_TYPES,
        through=_words(_C_BRANCHES),
        imports=_words("preproc_include"),
        import_style="quoted",
    ),
    Grammar(
        "cpp",
        "tree_sitter_cpp",
        (".cpp", ".cc", ".cxx", ".c++", ".hpp", ".hh", ".hxx", ".h", ".ipp", ".tpp", ".inl", ".cu", ".cuh", ".ino"),
        definitions={**_C_TYPES, "class_specifier": names.with_body, "alias_declaration": "name", "concept_definition": "name"},
        classes=_words("class_specifier struct_specifier"),
        scopes={"namespace_definition": names.namespace},
        through=_words(_C_BRANCHES + " field_declaration_list"),
        wrappers=_words("template_declaration"),
        imports=_words("preproc_include"),
        import_style="quoted",
    ),
    Grammar(
        "csharp",
        "tree_sitter_c_sharp",
        (".cs", ".csx"),
        definitions={
            **_named(
                "class_declaration struct_declaration interface_declaration enum_declaration record_declaration"
                " delegate_declaration method_declaration constructor_declaration property_declaration event_declaration"
            ),
            "destructor_declaration": names.always("Finalize"),
            "indexer_declaration": names.always("this"),
            "operator_declaration": names.by_pattern(r"operator\s*([^\s(]+)"),
        },
        classes=_words("class_declaration struct_declaration interface_declaration record_declaration"),
        scopes={"namespace_declaration": "name"},
        through=_words("declaration_list preproc_if preproc_else preproc_elif preproc_region"),
        imports=_words("using_directive"),
    ),
    Grammar(
        "ruby",
        "tree_sitter_ruby",
        (".rb", ".rake", ".gemspec", ".ru"),
        definitions={"method": "name", "singleton_method": "name", "class": names.namespace, "module": names.namespace},
        classes=_words("class module"),
        through=_words("body_statement singleton_class"),
        imports=_words("call"),
        import_mark=re.compile(r"\A(?:require|require_relative|load|autoload)\b"),
        import_style="quoted",
        calls="(call method: (_) @called)",
    ),
    Grammar(
        "php",
        "tree_sitter_php",
        (".php", ".phtml"),
        definitions=_named(
            "class_declaration interface_declaration trait_declaration enum_declaration method_declaration function_definition"
        ),
        classes=_words("class_declaration interface_declaration trait_declaration enum_declaration"),
        scopes={"namespace_definition": names.with_body},
        through=_words("declaration_list enum_declaration_list compound_statement if_statement"),
        imports=_words("namespace_use_declaration expression_statement"),
        import_mark=re.compile(r"\A(?:use|require|require_once|include|include_once)\b"),
        function="language_php",
    ),
    Grammar(
        "kotlin",
        "tree_sitter_kotlin",
        (".kt", ".kts"),
        definitions={
            "class_declaration": "name",
            "object_declaration": "name",
            "function_declaration": "name",
            "type_alias": "type",
            "secondary_constructor": names.always("constructor"),
            "companion_object": names.always("Companion"),
        },
        classes=_words("class_declaration object_declaration companion_object"),
        through=_words("class_body enum_class_body"),
        leading=_words("line_comment block_comment"),
        imports=_words("import"),
    ),
    Grammar(
        "swift",
        "tree_sitter_swift",
        (".swift",),
        definitions={
            **_named(
                "class_declaration protocol_declaration function_declaration protocol_function_declaration"
                " typealias_declaration"
            ),
            "init_declaration": names.always("init"),
            "deinit_declaration": names.always("deinit"),
            "subscript_declaration": names.always("subscript"),
        },
        classes=_words("class_declaration protocol_declaration"),
        through=_words("class_body enum_class_body protocol_body"),
        leading=_words("comment multiline_comment"),
        imports=_words("import_declaration"),
    ),
    Grammar(
        "scala",
        "tree_sitter_scala",
        (".scala", ".sc", ".sbt"),
        definitions=_named(
            "class_definition object_definition trait_definition enum_definition given_definition function_definition"
            " function_declaration type_definition"
        ),
        classes=_words("class_definition object_definition trait_definition enum_definition given_definition"),
        through=_words("template_body enum_body with_template_body extension_definition package_clause"),
        leading=_words("comment block_comment"),
        imports=_words("import_declaration"),
    ),
    Grammar(
        "shell",
        "tree_sitter_bash",
        (".sh", ".bash", ".zsh", ".ksh", ".bats"),
        definitions={"function_definition": "name"},
        through=_words("if_statement else_clause elif_clause"),
        imports=_words("command"),
        import_mark=re.compile(r"\A(?:source|\.)\s"),
        import_style="quoted",
        calls="(command name: (_) @called)",
    ),
    Grammar(
        "sql",
        "tree_sitter_sql",
        (".sql", ".ddl"),
        definitions=dict.fromkeys(
            _words(
                "create_table create_view create_materialized_view create_index create_function create_procedure create_trigger"
                " create_type create_schema create_sequence create_policy create_role create_database create_extension"
            ),
            names.created,
        ),
        wrappers=_words("statement"),
        leading=_words("comment marginalia"),
        calls="(relation (object_reference) @called) (invocation (object_reference) @called)",
    ),
    Grammar(
        "css",
        "tree_sitter_css",
        (".css",),
        definitions=dict.fromkeys(
            _words("rule_set media_statement supports_statement keyframes_statement at_rule"),
            names.before_brace,
        ),
        imports=_words("import_statement"),
        import_style="quoted",
    ),
    Grammar(
        "lua",
        "tree_sitter_lua",
        (".lua",),
        definitions={
            "function_declaration": "name",
            "assignment_statement": names.by_pattern(r"([\w.:]+)\s*=\s*function\b"),
            "variable_declaration": names.by_pattern(r"local\s+(\w+)\s*=\s*function\b"),
        },
        imports=_words("variable_declaration function_call"),
        import_mark=re.compile(r"\brequire\b"),
        import_style="quoted",
    ),
    Grammar(
        "haskell",
        "tree_sitter_haskell",
        (".hs",),
        definitions=dict.fromkeys(
            _words("function bind data_type newtype type_synonym class instance signature type_family"),
            names.equation,
        ),
        through=_words("declarations imports"),
        leading=_words("comment haddock pragma"),
        joined=_words("signature function"),
        imports=_words("import"),
        calls="(apply function: (variable) @called) (apply function: (qualified) @called)",
    ),
    Grammar(
        "julia",
        "tree_sitter_julia",
        (".jl",),
        definitions={
            "module_definition": "name",
            **dict.fromkeys(
                _words("function_definition macro_definition struct_definition abstract_definition"),
                names.by_pattern(r"\b(?:function|macro|struct|type)\s+([\w.!]+)"),
            ),
            "assignment": names.by_pattern(r"([\w.!]+)\([^=]*\)(?:::[\w.{}, ]+)?\s*=(?!=)"),
        },
        classes=_words("module_definition"),
        leading=_words("line_comment block_comment string_literal"),
        imports=_words("using_statement import_statement"),
    ),
    Grammar(
        "elixir",
        "tree_sitter_elixir",
        (".ex", ".exs"),
        definitions={
            "call": names.by_pattern(r"def(?:module|protocol|impl|p|macro|macrop|guard|guardp|delegate)?[\s(]+([\w.]+[?!]?)")
        },
        classes=_words("call"),
        through=_words("do_block"),
        leading=_words("comment unary_operator"),
        joined=_words("call"),
        imports=_words("call"),
        import_mark=re.compile(r"\A(?:alias|import|use|require)\s"),
        calls="(call target: (_) @called)",
    ),
)
