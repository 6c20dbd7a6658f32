"""A short file of each language, and what is to be found in it: first line, last line, symbol, links."""

from __future__ import annotations

Found = tuple[int, int, str, tuple[str, ...]]

SAMPLES: dict[str, tuple[str, list[Found]]] = {
    "store.py": (
        '''"""Module."""
import os
from a.b import c as d, e

LIMIT = 3  # not of what follows


# Adds.
@cache
def add(x: int) -> int:
    """Doc with call().
    """
    return d.run(x) + helper(os.path.join("a"))


class Store(Base):
    """A store."""

    size: int = 0

    def __init__(self) -> None:
        self.load()

    @property
    def name(self) -> str:
        def inner():
            pass
        return e(self._name)

    other = 1

    class Part:
        def deep(self): ...


if LIMIT:
    def late():
        pass
else:
    async def late2():
        await add(1)
''',
        [
            (1, 5, "", ("os", "a.b.c", "a.b.e")),
            (8, 13, "add", ("a.b.c.run", "helper", "os.path.join")),
            (16, 19, "Store", ()),
            (21, 22, "Store.__init__", ("Store.load",)),
            (24, 28, "Store.name", ("a.b.e",)),
            (30, 30, "Store", ()),
            (32, 32, "Store.Part", ()),
            (33, 33, "Store.Part.deep", ()),
            (36, 36, "", ()),
            (37, 38, "late", ()),
            (39, 39, "", ()),
            (40, 41, "late2", ()),
        ],
    ),
    "store.js": (
        """import React, { useState as us } from "react";
const fs = require("fs");

// Adds.
function add(a, b) {
  return sum(a, b);
}

/** Arrow. */
export const mul = (a, b) => fs.readFile(a);

export default class Store extends Base {
  static count = 0;

  constructor(x) {
    this.load(us(x));
  }

  handler = () => { fire(); };

  async *gen() {}
}

Foo.prototype.bar = function (x) { return x; };
module.exports = { add };
""",
        [
            (1, 2, "", ("react", "react.useState", "fs")),
            (4, 7, "add", ()),
            (9, 10, "mul", ("fs.readFile",)),
            (12, 13, "Store", ()),
            (15, 17, "Store.constructor", ("Store.load", "react.useState")),
            (19, 19, "Store.handler", ("fire",)),
            (21, 21, "Store.gen", ()),
            (22, 22, "Store", ()),
            (24, 24, "Foo.bar", ()),
            (25, 25, "", ()),
        ],
    ),
    "store.tsx": (
        """import type { A } from "./a";
import * as ns from '../lib/b.ts';

export interface Shape { area(): number }
export type Id = string | number;
export enum Color { Red, Green }

namespace Geo {
  export function dist(a: number): number { return ns.abs(a); }
}

@Injectable()
export class Service<T> {
  @Input() name: string;

  /** Gets. */
  @Listen('x')
  public get(id: Id): T { return this.http.get<T>(id); }
}

function over(a: string): void;
function over(a: any) { }

export const View = () => <div onClick={() => go()} />;
""",
        [
            (1, 2, "", ("a", "a.A", "lib/b")),
            (4, 4, "Shape", ("area",)),
            (5, 5, "Id", ()),
            (6, 6, "Color", ()),
            (8, 8, "", ()),
            (9, 9, "Geo.dist", ("lib/b.abs",)),
            (10, 10, "", ()),
            (12, 14, "Service", ("Injectable", "Input")),
            (16, 18, "Service.get", ("Listen", "Service.http.get")),
            (19, 19, "Service", ()),
            (21, 22, "over", ()),
            (24, 24, "View", ("go",)),
        ],
    ),
    "Store.java": (
        """package com.acme;

import java.util.List;
import static java.lang.Math.max;

/** Doc. */
@Entity
public class Store<T> extends Base {
    private int count = 0;

    /** Makes. */
    public Store(int n) { this.count = max(n, 1); }

    @Override
    public String name() {
        return List.of(count).toString();
    }

    enum Kind { A, B }

    interface Visitor {
        void visit(Node n);
    }
}

record Point(int x, int y) {}
""",
        [
            (1, 4, "", ("java.util.List", "java.lang.Math.max")),
            (6, 9, "Store", ()),
            (11, 12, "Store.Store", ("java.lang.Math.max",)),
            (14, 17, "Store.name", ("java.util.List.of",)),
            (19, 19, "Store.Kind", ()),
            (21, 21, "Store.Visitor", ()),
            (22, 22, "Store.Visitor.visit", ()),
            (23, 23, "Store.Visitor", ()),
            (24, 24, "Store", ()),
            (26, 26, "Point", ()),
        ],
    ),
    "store.go": (
        """// Package main does.
package main

import (
	"fmt"
	log "github.com/x/zap"
)

const A = 1

// Server serves.
type Server struct {
	addr string
}

type (
	// ID names.
	ID int
	Handler interface{ Serve() error }
)

// Start starts.
func (s *Server) Start() error {
	fmt.Println(s.addr)
	return log.Sync()
}

func (s List[T]) Len() int { return 1 }

func main() { go run() }
""",
        [
            (1, 9, "", ("fmt", "github.com/x/zap")),
            (11, 14, "Server", ()),
            (16, 16, "", ()),
            (17, 18, "ID", ()),
            (19, 19, "Handler", ("Serve",)),
            (20, 20, "", ()),
            (22, 26, "Server.Start", ("fmt.Println", "github.com/x/zap.Sync")),
            (28, 28, "List.Len", ()),
            (30, 30, "main", ("run",)),
        ],
    ),
    "store.rs": (
        """//! Crate doc.

use std::collections::{HashMap, hash_map::Entry as E};
const A: u32 = 1;

/// A point.
#[derive(Debug)]
pub struct Point<T> { x: T }

impl<T> Shape for Point<T> {
    /// Area.
    #[inline]
    fn area(&self) -> f64 {
        E::new(self.x.mul(2.0))
    }
}

pub trait Shape {
    fn area(&self) -> f64;
}

mod tests {
    #[test]
    fn works() { assert_eq!(1, 1); }
}

macro_rules! mac { () => {} }
""",
        [
            (1, 4, "", ("std.collections.HashMap", "std.collections.hash_map.Entry")),
            (6, 8, "Point", ()),
            (10, 10, "Point", ()),
            (11, 15, "Point.area", ("std.collections.hash_map.Entry.new", "Point.x.mul")),
            (16, 16, "Point", ()),
            (18, 18, "Shape", ()),
            (19, 19, "Shape.area", ()),
            (20, 20, "Shape", ()),
            (22, 22, "tests", ()),
            (23, 24, "tests.works", ("assert_eq",)),
            (25, 25, "tests", ()),
            (27, 27, "mac", ()),
        ],
    ),
    "store.c": (
        """#include <stdio.h>
#include "my.h"
#define MAX(a,b) ((a)>(b)?(a):(b))

typedef struct node { int v; } node_t;
enum color { RED, GREEN };
int proto(int x);

/* Adds. */
static inline int *add(int a, int b)
{
    return obj->fn(a);
}

#ifdef DEBUG
void dbg(void) { log_it(); }
#endif
""",
        [
            (1, 2, "", ("stdio.h", "my.h")),
            (3, 3, "MAX", ()),
            (5, 5, "node_t", ()),
            (6, 6, "color", ()),
            (7, 7, "", ("proto",)),
            (9, 13, "add", ()),
            (15, 15, "", ()),
            (16, 16, "dbg", ("log_it",)),
            (17, 17, "", ()),
        ],
    ),
    "store.hpp": (
        """#include <vector>

namespace geo { namespace inner {

/// Doc
template <typename T>
class Point : public Base {
 public:
  explicit Point(T x) : x_(x) {}
  T x() const { return x_; }
  Point operator+(const Point& o) const { return add(o); }
};

template <typename T>
T Point<T>::area() const { return std::move(x_); }

}}

void geo::Canvas::draw(int x) { this->paint(); }
Foo::~Foo() {}
enum class Color { Red };
""",
        [
            (1, 3, "", ("vector",)),
            (5, 8, "geo.inner.Point", ()),
            (9, 9, "geo.inner.Point.Point", ("x_",)),
            (10, 10, "geo.inner.Point.x", ()),
            (11, 11, "geo.inner.Point.operator+", ()),
            (12, 12, "geo.inner.Point", ()),
            (14, 15, "geo.inner.Point.area", ("std.move",)),
            (17, 17, "", ()),
            (19, 19, "geo.Canvas.draw", ("geo.Canvas.paint",)),
            (20, 20, "Foo.~Foo", ("Foo",)),
            (21, 21, "Color", ()),
        ],
    ),
    "Store.cs": (
        """using System;
using Text = System.Text.StringBuilder;

namespace Acme.App
{
    /// <summary>Doc</summary>
    [Serializable]
    public class Store<T> : Base
    {
        private int x;

        public Store(int a) : base(a) { Init(); }

        [Obsolete]
        public async Task<int> Get(int id) { return await _http.Send(id); }

        public int Prop { get { return x; } set { x = value; } }
    }

    enum Kind { A }
}
""",
        [
            (1, 5, "", ("System", "System.Text.StringBuilder")),
            (6, 10, "Acme.App.Store", ()),
            (12, 12, "Acme.App.Store.Store", ("base", "Init")),
            (14, 15, "Acme.App.Store.Get", ("_http.Send",)),
            (17, 17, "Acme.App.Store.Prop", ()),
            (18, 18, "Acme.App.Store", ()),
            (20, 20, "Acme.App.Kind", ()),
            (21, 21, "", ()),
        ],
    ),
    "store.rb": (
        """require 'json'
require_relative "lib/x"

module Acme
  # Doc
  class Store < Base
    attr_reader :name

    def initialize(a)
      load_all(a)
    end

    def self.make
      new(1)
    end
  end
end

def top
  JSON.parse read_it
end
""",
        [
            (1, 2, "", ("json", "lib/x")),
            (4, 4, "Acme", ()),
            (5, 7, "Acme.Store", ()),
            (9, 11, "Acme.Store.initialize", ("load_all",)),
            (13, 15, "Acme.Store.make", ()),
            (16, 16, "Acme.Store", ()),
            (17, 17, "Acme", ()),
            (19, 21, "top", ("parse",)),
        ],
    ),
    "store.php": (
        r"""<?php
namespace App\Http;

use Foo\Bar;
use Foo\{Baz, Qux as Q};

/** Doc */
#[Attr]
abstract class Store extends Base
{
    private $x = 1;

    /** Makes */
    public static function make(): self { return new Q(foo(1)); }
}

trait T { function t() {} }

function top($a) { return $a; }
""",
        [
            (1, 5, "", ("Foo.Bar", "Foo.Baz", "Foo.Qux")),
            (7, 11, "Store", ()),
            (13, 14, "Store.make", ("Foo.Qux", "foo")),
            (15, 15, "Store", ()),
            (17, 17, "T", ()),
            (19, 19, "top", ()),
        ],
    ),
    "Store.kt": (
        """package com.acme

import kotlin.math.max
import a.b as c

/** Doc */
@Ann
data class Store(val x: Int) : Base() {
    private val y = 1

    override fun get(id: Int): String { return c.find(id) }

    companion object {
        fun make() = Store(1)
    }
}

object Single {
    fun go() {}
}

fun String.ext(): Int = max(length, 1)
""",
        [
            (1, 4, "", ("kotlin.math.max", "a.b")),
            (6, 9, "Store", ("Base",)),
            (11, 11, "Store.get", ("a.b.find",)),
            (13, 13, "Store.Companion", ()),
            (14, 14, "Store.Companion.make", ("Store",)),
            (15, 15, "Store.Companion", ()),
            (16, 16, "Store", ()),
            (18, 18, "Single", ()),
            (19, 19, "Single.go", ()),
            (20, 20, "Single", ()),
            (22, 22, "ext", ("String.ext", "kotlin.math.max")),
        ],
    ),
    "Store.swift": (
        """import Foundation

/// Doc
@objc public class Store: Base {
    var x: Int = 1

    init(a: Int) { load(a) }

    func get(id: Int) -> String { return repo.find(id) }
}

protocol P { func p() }

extension Store: P {
    func p() { go() }
}

func top(a: Int) -> Int { return a }
""",
        [
            (1, 1, "", ("Foundation",)),
            (3, 5, "Store", ()),
            (7, 7, "Store.init", ("load",)),
            (9, 9, "Store.get", ("repo.find",)),
            (10, 10, "Store", ()),
            (12, 12, "P", ()),
            (14, 14, "Store", ()),
            (15, 15, "Store.p", ("go",)),
            (16, 16, "Store", ()),
            (18, 18, "top", ()),
        ],
    ),
    "Store.scala": (
        """package com.acme

import scala.collection.mutable.{Map, Set => S}

/** Doc */
@ann
class Store(x: Int) extends Base {
  val y = 1

  def get(id: Int): String = { repo.find(id) }
}

object Store {
  def apply(x: Int) = new Store(x)
}

trait T { def t: Int }

def top(a: Int) = a
""",
        [
            (1, 3, "", ("scala.collection.mutable.Map", "scala.collection.mutable.Set")),
            (5, 8, "Store", ()),
            (10, 10, "Store.get", ("repo.find",)),
            (11, 11, "Store", ()),
            (13, 13, "Store", ()),
            (14, 14, "Store.apply", ("Store",)),
            (15, 15, "Store", ()),
            (17, 17, "T", ()),
            (19, 19, "top", ()),
        ],
    ),
    "store.sh": (
        """#!/bin/bash
source ./lib.sh

# Doc
build() {
  run_it "$x" | grep y
}

function deploy {
  build
}

build
""",
        [
            (1, 2, "", ("lib.sh",)),
            (4, 7, "build", ("run_it", "grep")),
            (9, 11, "deploy", ("build",)),
            (13, 13, "", ("build",)),
        ],
    ),
    "store.sql": (
        """-- Users
CREATE TABLE app.users (
  id INT PRIMARY KEY,
  name TEXT NOT NULL
);

CREATE OR REPLACE VIEW v_users AS SELECT * FROM app.users;

CREATE FUNCTION add_up(a INT, b INT) RETURNS INT AS $$ BEGIN RETURN a + b; END; $$ LANGUAGE plpgsql;

INSERT INTO users VALUES (1, 'x');
""",
        [
            (1, 5, "app.users", ()),
            (7, 7, "v_users", ("app.users",)),
            (9, 9, "add_up", ()),
            (11, 11, "", ()),
        ],
    ),
    "store.css": (
        """@import url("x.css");

/* c */
.a > .b, #c {
  color: red;
}

@media (max-width: 1px) { .d { x: y; } }
""",
        [
            (1, 1, "", ("x.css",)),
            (3, 6, ".a > .b, #c", ()),
            (8, 8, "@media (max-width: 1px)", ()),
        ],
    ),
    "store.lua": (
        """local json = require("json")
local M = {}

-- Doc
function M.add(a, b) return sum(a, b) end

function M:meth() self:go() end

M.x = function() end

return M
""",
        [
            (1, 2, "", ("json",)),
            (4, 5, "M.add", ()),
            (7, 7, "M.meth", ("go",)),
            (9, 9, "M.x", ()),
            (11, 11, "", ()),
        ],
    ),
    "Store.hs": (
        """module Foo.Bar where

import qualified Data.Map as M

-- | Doc
add :: Int -> Int -> Int
add a 0 = a
add a b = total a b

data Tree a = Leaf | Node a

class Shape a where
  area :: a -> Double
""",
        [
            (1, 3, "", ("Data.Map",)),
            (5, 8, "add", ("total",)),
            (10, 10, "Tree", ()),
            (12, 13, "Shape", ()),
        ],
    ),
    "store.jl": (
        '''module Foo

import A.B

"""Doc"""
function add(a::Int, b)
    return total(a, b)
end

struct P
  x::Int
end

mul(a, b) = a * b

end
''',
        [
            (1, 3, "Foo", ("A.B",)),
            (5, 8, "Foo.add", ("total",)),
            (10, 12, "Foo.P", ()),
            (14, 14, "Foo.mul", ()),
            (16, 16, "Foo", ()),
        ],
    ),
    "store.ex": (
        """defmodule Acme.Store do
  alias Acme.Repo

  @doc "Gets"
  def get(id) when id > 0 do
    Repo.get(id) |> wrap()
  end

  defp wrap(x), do: x
end
""",
        [
            (1, 2, "Acme.Store", ("Acme.Repo",)),
            (4, 7, "Acme.Store.get", ("Acme.Repo.get", "wrap")),
            (9, 9, "Acme.Store.wrap", ()),
            (10, 10, "Acme.Store", ()),
        ],
    ),
}
