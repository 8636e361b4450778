//! Views whose type is forgotten.
//!
//! Leptos can forget a type by itself, but then keeps code for views that wait (for data, or for parts of
//! the bundle) and for views that are drawn over another of their kind. Nothing here waits, everything is
//! drawn at once and then changes by its signals only; saying so saves more than a tenth of the bundle.

use leptos::attr::Attribute;
use leptos::attr::any_attribute::AnyAttribute;
use leptos::prelude::{AddAnyAttr, Mountable, Render, RenderHtml};
use leptos::tachys::hydration::Cursor;
use leptos::tachys::renderer::types::{Element, Node};
use leptos::tachys::ssr::StreamBuilder;
use leptos::tachys::view::{Position, PositionState};

/// Forgets the type of a view.
pub fn settle<V: RenderHtml + 'static>(view: V) -> Settled {
    Settled(Box::new(view))
}

/// A view that is drawn anew when what it reads changes. Behind one type, as signals are.
pub fn changing(of: Box<dyn Fn() -> Settled + Send + Sync>) -> Settled {
    // The box itself as a view is heavier in the bundle than a closure around it.
    #[allow(clippy::redundant_closure)]
    settle(move || of())
}

/// A view that waits for nothing, owns what it shows, and takes no further attributes.
#[allow(missing_debug_implementations)] // a view has nothing to print
pub struct Settled(Box<dyn Drawn>);

/// What a settled view has to be able to do.
trait Drawn: Send {
    fn build(self: Box<Self>) -> Picture;

    fn hydrate(self: Box<Self>, cursor: &Cursor, position: &PositionState) -> Picture;

    #[cfg(feature = "ssr")]
    fn write(self: Box<Self>, buf: &mut String, position: &mut Position, how: How);

    #[cfg(feature = "ssr")]
    fn stream(self: Box<Self>, buf: &mut StreamBuilder, position: &mut Position, how: How);
}

/// How HTML is to be written: whether text is escaped, whether branches are marked, and what attributes
/// are added.
#[cfg(feature = "ssr")]
type How = (bool, bool, Vec<AnyAttribute>);

impl<V: RenderHtml + 'static> Drawn for V {
    fn build(self: Box<Self>) -> Picture {
        Picture(Box::new(Render::build(*self)))
    }

    fn hydrate(self: Box<Self>, cursor: &Cursor, position: &PositionState) -> Picture {
        Picture(Box::new(RenderHtml::hydrate::<true>(*self, cursor, position)))
    }

    #[cfg(feature = "ssr")]
    fn write(self: Box<Self>, buf: &mut String, position: &mut Position, (escape, mark, attrs): How) {
        self.to_html_with_buf(buf, position, escape, mark, attrs);
    }

    #[cfg(feature = "ssr")]
    fn stream(self: Box<Self>, buf: &mut StreamBuilder, position: &mut Position, (escape, mark, attrs): How) {
        self.to_html_async_with_buf::<true>(buf, position, escape, mark, attrs);
    }
}

/// A settled view on the page.
#[allow(missing_debug_implementations)] // nor has its picture
pub struct Picture(Box<dyn Mountable>);

impl Mountable for Picture {
    fn unmount(&mut self) {
        self.0.unmount();
    }

    fn mount(&mut self, parent: &Element, marker: Option<&Node>) {
        self.0.mount(parent, marker);
    }

    fn insert_before_this(&self, child: &mut dyn Mountable) -> bool {
        self.0.insert_before_this(child)
    }

    fn elements(&self) -> Vec<Element> {
        self.0.elements()
    }
}

impl Render for Settled {
    type State = Picture;

    fn build(self) -> Picture {
        self.0.build()
    }

    fn rebuild(self, state: &mut Picture) {
        let mut new = self.0.build();
        state.insert_before_this(&mut new);
        state.unmount();
        *state = new;
    }
}

impl AddAnyAttr for Settled {
    type Output<A: Attribute> = Self;

    fn add_any_attr<A: Attribute>(self, _: A) -> Self::Output<A> {
        self
    }
}

impl RenderHtml for Settled {
    type AsyncOutput = Self;
    type Owned = Self;

    const MIN_LENGTH: usize = 0;

    fn dry_resolve(&mut self) {}

    async fn resolve(self) -> Self {
        self
    }

    // The browser writes no HTML; without the code that does, its bundle is smaller.
    #[cfg_attr(not(feature = "ssr"), allow(unused_variables))]
    fn to_html_with_buf(
        self,
        buf: &mut String,
        position: &mut Position,
        escape: bool,
        mark_branches: bool,
        extra_attrs: Vec<AnyAttribute>,
    ) {
        #[cfg(feature = "ssr")]
        self.0.write(buf, position, (escape, mark_branches, extra_attrs));
    }

    #[cfg_attr(not(feature = "ssr"), allow(unused_variables))]
    fn to_html_async_with_buf<const OUT_OF_ORDER: bool>(
        self,
        buf: &mut StreamBuilder,
        position: &mut Position,
        escape: bool,
        mark_branches: bool,
        extra_attrs: Vec<AnyAttribute>,
    ) {
        // In or out of order is the same for what waits for nothing.
        #[cfg(feature = "ssr")]
        self.0.stream(buf, position, (escape, mark_branches, extra_attrs));
    }

    // `hydrate_async` stays the default, which is this.
    fn hydrate<const FROM_SERVER: bool>(self, cursor: &Cursor, position: &PositionState) -> Picture {
        self.0.hydrate(cursor, position)
    }

    fn into_owned(self) -> Self {
        self
    }
}
