// SPDX-License-Identifier: Apache-2.0
// The scene in 3D, drawn with WebGL: points, cameras, and the query with its matches. It is loaded when it is first
// looked at, and knows nothing of the viewer's state.
import {
  AddEquation,
  BufferAttribute,
  BufferGeometry,
  CustomBlending,
  DataTexture,
  GLSL3,
  Group,
  LineBasicMaterial,
  LineSegments,
  Matrix4,
  MeshBasicMaterial,
  NearestFilter,
  OneFactor,
  OneMinusSrcAlphaFactor,
  PerspectiveCamera,
  Points,
  PointsMaterial,
  RGBAFormat,
  Scene,
  ShaderMaterial,
  UnsignedByteType,
  Vector3,
  WebGLRenderer,
  type Object3D,
} from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { GLTFExporter } from "three/examples/jsm/exporters/GLTFExporter.js";
import { frustum, type Vector } from "../core/maps/camera";
import { pick } from "../core/maps/pick";
import type { GeometryInfo, GeometryPoints } from "../core/source/wire_geometry";
import { budgetAfter, firstBudget, type Budget } from "./point_budget";

export class NoWebGL extends Error {
  override name = "NoWebGL";
}

export interface Pick {
  frame: number;
  patch: number | null; // null: its camera
}

// The colours of all patches: RGBA of each, frame after frame, as they lie over the pictures.
export interface MapColours {
  pixels: Uint8Array;
  patches: number; // of each frame
}

export interface Look {
  pointSize: number;
  leastConfidence: number; // share of the points that is left out
  queryFrame: number;
  colours: { query: string; line: string; quiet: string; background: string };
}

const kVertex = `
  uniform sampler2D maps;
  uniform float size, least, most;
  in vec3 colour;
  in float cell, confidence;
  out vec3 shown;
  void main() {
    vec4 at = modelViewMatrix * vec4(position, 1.0);
    gl_Position = confidence < least ? vec4(2.0, 2.0, 2.0, 1.0) : projectionMatrix * at;
    gl_PointSize = clamp(size / -at.z, 1.0, most);
    int i = int(cell + 0.5), wide = textureSize(maps, 0).x;
    vec4 map = texelFetch(maps, ivec2(i % wide, i / wide), 0);
    shown = mix(colour, map.rgb, map.a);
  }`;
const kFragment = `
  in vec3 shown;
  out vec4 seen;
  void main() { seen = vec4(shown, 1.0); }`;

const kTextureWidth = 2048;
const kPickPixels = 5;
const kCameraPixels = 14;
const kMostPointPixels = 24;
const kRestMs = 300; // after which the hand rests

// Without a graphics processor, smooth edges would cost more than all else, and each point costs as much as hundreds.
function drawnBySoftware(): boolean {
  const context = document.createElement("canvas").getContext("webgl2");
  const told = context?.getExtension("WEBGL_debug_renderer_info");
  const name = told ? String(context?.getParameter(told.UNMASKED_RENDERER_WEBGL)) : "";
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software/i.test(name);
}

// The same order every time, in which the first so many are spread evenly.
function shuffled(count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  let seed = 1;
  for (let i = count - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((seed / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

function taken<T extends Float32Array | Uint8Array | Uint32Array>(
  from: T,
  order: Uint32Array,
  each: number,
): T {
  const out = from.slice() as T;
  order.forEach((source, i) => {
    for (let k = 0; k < each; k++) out[each * i + k] = from[each * source + k]!;
  });
  return out;
}

function median(values: number[]): number {
  values.sort((a, b) => a - b);
  return values[values.length >> 1] ?? 0;
}

// A ring or a square, for marks of a constant size on the screen.
function mark(round: boolean): DataTexture {
  const n = 32;
  const pixels = new Uint8Array(4 * n * n);
  for (let y = 0; y < n; y++) {
    for (let x = 0; x < n; x++) {
      const [dx, dy] = [Math.abs(x - 15.5), Math.abs(y - 15.5)];
      const r = round ? Math.hypot(dx, dy) : Math.max(dx, dy);
      const alpha = r > 9 && r < 13 ? 255 : r > 7.5 && r < 14.5 ? 150 : 0;
      pixels.set(alpha === 255 ? [255, 255, 255, 255] : [0, 0, 0, alpha], 4 * (y * n + x));
    }
  }
  const texture = new DataTexture(pixels, n, n);
  texture.needsUpdate = true;
  return texture;
}

const disposeOf = (object: Object3D): void => {
  object.traverse((each) => {
    if (each instanceof Points || each instanceof LineSegments) each.geometry.dispose();
  });
};

export class SceneView {
  private readonly renderer: WebGLRenderer;
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera(50, 1, 0.01, 1000);
  private readonly controls: OrbitControls;
  private readonly material: ShaderMaterial;
  private readonly cameras = new Group();
  private readonly query = new Group();
  private readonly textures = { ring: mark(true), square: mark(false) };
  private maps: DataTexture;
  private cloud: Points | null = null;
  private cells: Uint32Array = new Uint32Array();
  private confidence: Float32Array = new Float32Array();
  private sorted: Float32Array = new Float32Array();
  private info: GeometryInfo | null = null;
  private look: Look | null = null;
  private home: { position: Vector3; target: Vector3 } | null = null;
  private spacing = 1; // between points that a picture shows beside each other, in the world
  private extent = 1;
  private budget: Budget;
  private asked = 0;
  private resting = 0;
  private shown = 0; // points of the picture on the canvas
  private warm = false;
  private readonly weak = drawnBySoftware();
  private onCanvas = { width: 1, height: 1 };

  // Throws NoWebGL. `onDrawn` is told of each picture drawn.
  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly onDrawn: (budget: Budget) => void,
  ) {
    const context = canvas.getContext("webgl2", { alpha: true, antialias: !this.weak });
    if (!context) throw new NoWebGL();
    this.renderer = new WebGLRenderer({ canvas, context, alpha: true });
    this.renderer.setClearColor(0, 0);
    this.maps = this.texture(new Uint8Array(4), 1, 1);
    this.material = new ShaderMaterial({
      glslVersion: GLSL3,
      vertexShader: kVertex,
      fragmentShader: kFragment,
      uniforms: {
        maps: { value: this.maps },
        size: { value: 1 },
        least: { value: -1 },
        most: { value: kMostPointPixels },
      },
    });
    this.scene.add(this.cameras, this.query);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.zoomToCursor = true;
    this.controls.addEventListener("change", () => this.draw());
    this.budget = firstBudget(0, this.weak);
  }

  private texture(pixels: Uint8Array, width: number, height: number): DataTexture {
    const texture = new DataTexture(pixels, width, height, RGBAFormat, UnsignedByteType);
    texture.minFilter = texture.magFilter = NearestFilter;
    texture.needsUpdate = true;
    return texture;
  }

  // `stays`: whether one goes on looking from where one looks now.
  setPoints(info: GeometryInfo, points: GeometryPoints, patches: number, stays: boolean): void {
    const framed = this.home !== null && stays;
    if (this.cloud) {
      this.scene.remove(this.cloud);
      this.cloud.geometry.dispose();
    }
    const count = points.confidence.length;
    const order = shuffled(count);
    const positions = taken(points.positions, order, 3);
    this.cells = taken(points.cells, order, 2);
    this.confidence = taken(points.confidence, order, 1);
    this.sorted = this.confidence.slice().sort();
    this.info = info;
    const geometry = new BufferGeometry();
    const cell = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      cell[i] = this.cells[2 * i]! * patches + this.cells[2 * i + 1]!;
    }
    geometry.setAttribute("position", new BufferAttribute(positions, 3));
    geometry.setAttribute("colour", new BufferAttribute(taken(points.colours, order, 3), 3, true));
    geometry.setAttribute("cell", new BufferAttribute(cell, 1));
    geometry.setAttribute("confidence", new BufferAttribute(this.confidence, 1));
    this.cloud = new Points(geometry, this.material);
    this.cloud.frustumCulled = false;
    this.scene.add(this.cloud);
    this.budget = firstBudget(count, this.weak);
    if (!framed) this.frameAll(info, positions);
    this.drawCameras();
    this.draw();
  }

  // Where one looks from at first: behind the cameras, a little above.
  private frameAll(info: GeometryInfo, positions: Float32Array): void {
    const step = Math.max(1, Math.floor(positions.length / 3 / 5000));
    const at = [0, 1, 2].map((k) => {
      const values: number[] = [];
      for (let i = 0; i < positions.length / 3; i += step) values.push(positions[3 * i + k]!);
      return median(values);
    });
    const target = new Vector3(...at);
    const known = info.frames.filter((each) => each !== null);
    const centre = new Vector3();
    const up = new Vector3();
    for (const each of known) {
      centre.add(new Vector3(...frustum(each, 1, 1, 1).centre).divideScalar(known.length));
      up.sub(new Vector3(...each.rotation[1]));
    }
    if (known.length === 0) up.set(0, -1, 0);
    up.normalize();
    const back = centre.clone().sub(target);
    const far = back.length() || 1;
    this.extent = far;
    const focal = median(known.map(({ fx }) => fx)) || info.width;
    this.spacing = far / focal;
    this.camera.up.copy(up);
    this.camera.near = far / 500;
    this.camera.far = far * 100;
    this.home = {
      position: target
        .clone()
        .addScaledVector(back, 1.55)
        .addScaledVector(up, 0.3 * far),
      target,
    };
    this.goHome();
  }

  goHome(): void {
    if (!this.home) return;
    this.camera.position.copy(this.home.position);
    this.controls.target.copy(this.home.target);
    this.controls.update();
    this.draw();
  }

  // By shares of how large the scene is: to the right, up, forward.
  fly(right: number, up: number, forward: number): void {
    const step = new Vector3(right, up, -forward)
      .multiplyScalar(this.extent)
      .applyQuaternion(this.camera.quaternion);
    this.camera.position.add(step);
    this.controls.target.add(step);
    this.controls.update();
    this.draw();
  }

  // Looks through the camera of a frame.
  lookThrough(frame: number): void {
    const found = this.info?.frames[frame];
    if (!found) return;
    const { centre } = frustum(found, 1, 1, 1);
    const forward = new Vector3(...found.rotation[2]);
    this.camera.position.set(...centre);
    this.controls.target.set(...centre).addScaledVector(forward, this.extent);
    this.controls.update();
    this.draw();
  }

  setMaps({ pixels, patches }: MapColours): void {
    const frames = pixels.length / 4 / (patches || 1);
    const height = Math.max(1, Math.ceil((frames * patches) / kTextureWidth));
    const padded = new Uint8Array(4 * kTextureWidth * height);
    padded.set(pixels);
    if (this.maps.image.height === height && this.maps.image.width === kTextureWidth) {
      (this.maps.image.data as Uint8Array).set(padded);
      this.maps.needsUpdate = true;
    } else {
      this.maps.dispose();
      this.maps = this.texture(padded, kTextureWidth, height);
      this.material.uniforms["maps"]!.value = this.maps;
    }
    this.draw();
  }

  setLook(look: Look): void {
    this.look = look;
    const left = Math.floor(look.leastConfidence * this.sorted.length);
    this.material.uniforms["least"]!.value = left > 0 ? (this.sorted[left] ?? -1) : -1;
    this.drawCameras();
    this.draw();
  }

  // The query's point and its best matches, with a ray to each.
  setQuery(at: Vector | null, matches: readonly Vector[]): void {
    disposeOf(this.query);
    this.query.clear();
    if (at) {
      const ends = matches.flatMap((match) => [...at, ...match]);
      const colour = this.look?.colours.query ?? "#2fe07f";
      const rays = new LineSegments(
        new BufferGeometry().setAttribute(
          "position",
          new BufferAttribute(new Float32Array(ends), 3),
        ),
        new LineBasicMaterial({
          color: colour,
          depthTest: false,
          transparent: true,
          opacity: 0.75,
        }),
      );
      rays.renderOrder = 1;
      this.query.add(rays, this.marks(matches, "#ffffff", false), this.marks([at], colour, true));
    }
    this.draw();
  }

  private marks(at: readonly Vector[], colour: string, round: boolean): Points {
    const points = new Points(
      new BufferGeometry().setAttribute(
        "position",
        new BufferAttribute(new Float32Array(at.flat()), 3),
      ),
      new PointsMaterial({
        color: colour,
        map: round ? this.textures.ring : this.textures.square,
        size: (round ? 22 : 15) * this.renderer.getPixelRatio(),
        sizeAttenuation: false,
        depthTest: false,
        transparent: true,
        blending: CustomBlending,
        blendEquation: AddEquation,
        blendSrcAlpha: OneFactor,
        blendDstAlpha: OneMinusSrcAlphaFactor,
      }),
    );
    points.renderOrder = 2;
    return points;
  }

  private edges(frame: number): Vector[] {
    const found = this.info?.frames[frame];
    if (!found || !this.info) return [];
    const { width, height } = this.info;
    const { centre, corners } = frustum(found, width, height, 0.09 * this.extent);
    return corners.flatMap((corner, i) => [centre, corner, corner, corners[(i + 1) % 4]!]);
  }

  private drawCameras(): void {
    disposeOf(this.cameras);
    this.cameras.clear();
    if (!this.info || !this.look) return;
    const { colours, queryFrame } = this.look;
    this.info.frames.forEach((_, frame) => {
      const own = frame === queryFrame;
      const edges = this.edges(frame).flat();
      if (edges.length === 0) return;
      const lines = new LineSegments(
        new BufferGeometry().setAttribute(
          "position",
          new BufferAttribute(new Float32Array(edges), 3),
        ),
        new LineBasicMaterial({ color: own ? colours.query : colours.line }),
      );
      this.cameras.add(lines);
    });
  }

  resize(width: number, height: number): void {
    if (width < 1 || height < 1) return;
    this.onCanvas = { width, height };
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.draw();
  }

  // What lies under a point of the canvas, in CSS pixels.
  pick(x: number, y: number): Pick | null {
    const { width, height } = this.onCanvas;
    this.camera.updateMatrixWorld();
    const matrix = new Matrix4().multiplyMatrices(
      this.camera.projectionMatrix,
      this.camera.matrixWorldInverse,
    );
    const camera = this.cameraAt(x, y, matrix);
    if (camera !== null) return { frame: camera, patch: null };
    if (!this.cloud) return null;
    const positions = this.cloud.geometry.getAttribute("position").array as Float32Array;
    const least = this.material.uniforms["least"]!.value as number;
    const found = pick(
      positions,
      this.shown,
      matrix.elements,
      {
        x: (2 * x) / width - 1,
        y: 1 - (2 * y) / height,
        across: (2 * kPickPixels) / width,
        down: (2 * kPickPixels) / height,
      },
      (point) => this.confidence[point]! >= least,
    );
    return found < 0 ? null : { frame: this.cells[2 * found]!, patch: this.cells[2 * found + 1]! };
  }

  // The camera whose place is near.
  private cameraAt(x: number, y: number, matrix: Matrix4): number | null {
    let [best, least]: [number | null, number] = [null, kCameraPixels];
    this.info?.frames.forEach((found, frame) => {
      if (!found) return;
      const at = new Vector3(...frustum(found, 1, 1, 1).centre).applyMatrix4(matrix);
      if (at.z > 1) return;
      const [px, py] = [
        ((at.x + 1) / 2) * this.onCanvas.width,
        ((1 - at.y) / 2) * this.onCanvas.height,
      ];
      const away = Math.hypot(px - x, py - y);
      if (away < least) [best, least] = [frame, away];
    });
    return best;
  }

  private draw(): void {
    clearTimeout(this.resting);
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      const begin = performance.now();
      this.render(this.budget.drawn);
      // Only a pixel that is read says that all is drawn.
      const gl = this.renderer.getContext();
      gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
      const took = performance.now() - begin;
      this.onDrawn(this.budget);
      // What is drawn for the first time is still on its way to the processor.
      if (this.warm) this.budget = budgetAfter(this.budget, took);
      this.warm = this.cloud !== null;
      if (this.shown < this.budget.all) {
        this.resting = window.setTimeout(() => this.drawAll(), kRestMs);
      }
    });
  }

  private drawAll(): void {
    this.render(this.budget.all);
    this.onDrawn({ ...this.budget, drawn: this.shown });
  }

  private render(points: number): void {
    this.shown = points;
    if (this.cloud) {
      this.cloud.geometry.setDrawRange(0, points);
      const apart = this.spacing * Math.sqrt((this.info?.points ?? points) / Math.max(1, points));
      const pixels =
        this.renderer.domElement.height * this.camera.projectionMatrix.elements[5]! * 0.5;
      this.material.uniforms["size"]!.value = (this.look?.pointSize ?? 1) * 1.9 * apart * pixels;
    }
    this.renderer.render(this.scene, this.camera);
  }

  async png(): Promise<Blob> {
    this.drawAll();
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [this.canvas.width, this.canvas.height];
    const context = copy.getContext("2d");
    if (!context) throw new Error("The browser has no memory for a picture of this size.");
    context.fillStyle = this.look?.colours.background ?? "#ffffff";
    context.fillRect(0, 0, copy.width, copy.height);
    context.drawImage(this.canvas, 0, 0);
    return new Promise((done, fail) =>
      copy.toBlob((blob) => (blob ? done(blob) : fail(new Error("The picture is too large.")))),
    );
  }

  // All points, in the colours that they have now, and the cameras.
  async glb(): Promise<Blob> {
    const out = new Scene();
    if (this.cloud) out.add(this.plainCloud(this.cloud.geometry));
    for (const each of [...this.cameras.children, ...this.query.children]) {
      if (!(each instanceof LineSegments)) continue;
      const { color } = each.material as LineBasicMaterial;
      out.add(new LineSegments(each.geometry, new MeshBasicMaterial({ color })));
    }
    const bytes = (await new GLTFExporter().parseAsync(out, { binary: true })) as ArrayBuffer;
    return new Blob([bytes], { type: "model/gltf-binary" });
  }

  private plainCloud(from: BufferGeometry): Points {
    const least = this.material.uniforms["least"]!.value as number;
    const kept: number[] = [];
    for (let i = 0; i < this.budget.all; i++) if (this.confidence[i]! >= least) kept.push(i);
    const positions = from.getAttribute("position").array;
    const colours = from.getAttribute("colour").array;
    const cell = from.getAttribute("cell").array;
    const maps = this.maps.image.data as Uint8Array;
    const place = new Float32Array(3 * kept.length);
    const seen = new Float32Array(3 * kept.length);
    kept.forEach((i, to) => {
      const alpha = (maps[4 * cell[i]! + 3] ?? 0) / 255;
      for (let k = 0; k < 3; k++) {
        place[3 * to + k] = positions[3 * i + k]!;
        const shown = colours[3 * i + k]! * (1 - alpha) + (maps[4 * cell[i]! + k] ?? 0) * alpha;
        // glTF has linear colours.
        const share = shown / 255;
        seen[3 * to + k] = share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      }
    });
    const geometry = new BufferGeometry();
    geometry.setAttribute("position", new BufferAttribute(place, 3));
    geometry.setAttribute("color", new BufferAttribute(seen, 3));
    return new Points(geometry, new MeshBasicMaterial({ vertexColors: true }));
  }

  dispose(): void {
    cancelAnimationFrame(this.asked);
    clearTimeout(this.resting);
    this.controls.dispose();
    this.cloud?.geometry.dispose();
    disposeOf(this.cameras);
    disposeOf(this.query);
    this.maps.dispose();
    this.material.dispose();
    this.renderer.dispose();
  }
}
