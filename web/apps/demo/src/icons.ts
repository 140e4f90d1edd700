import {
  Bell,
  Box,
  Calendar,
  ChatDotRound,
  Document,
  Goods,
  Refresh,
  Setting,
} from "@element-plus/icons-vue";
import { Tools, User, Van, Wallet, Warning } from "@element-plus/icons-vue";
import type { Component } from "vue";

const icons: Record<string, Component> = {
  Bell,
  Box,
  Calendar,
  ChatDotRound,
  Document,
  Goods,
  Refresh,
  Setting,
  Tools,
  User,
  Van,
  Wallet,
  Warning,
};

/** The picture that a notification names, of those that the page has. */
export function iconOf(name: string | undefined): Component {
  return icons[name ?? ""] ?? Bell;
}

/** Where a notification leads to: an address of the web, or nowhere. */
export function linkOf(link: string | undefined, page: string): string | undefined {
  if (!link) return undefined;
  try {
    const { href, protocol } = new URL(link, page);
    return protocol === "http:" || protocol === "https:" ? href : undefined;
  } catch {
    return undefined;
  }
}
